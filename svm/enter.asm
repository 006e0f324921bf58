; The world switch. What VMRUN does not swap are the general registers; the state that VMLOAD and
; VMSAVE move, the FPU's and the debug registers stay the guest's, as L0 uses none of them.
; Relies on the layout of struct vcpu (svm/vcpu.h).

	global	svm_enter, svm_enter_untrain

%define GPR(n)		[rdi + 8 * n]		; struct vcpu.gpr, numbered as in instructions
%define VMCB_HPA	[rdi + 128]
%define HOST_FLAGS	[rdi + 136]

MSR_PRED_CMD	equ 0x49
PRED_CMD_IBPB	equ 1
RETURNS		equ 32				; as many as any processor predicts

	section	.text
	bits	64
%macro run_guest 0
	push	rdi				; to find the vcpu again
	mov	rax, VMCB_HPA			; VMRUN's operand
	push	qword HOST_FLAGS		; POPF sets IF without the shadow that STI has
	popfq
	mov	rcx, GPR(1)
	mov	rdx, GPR(2)
	mov	rbx, GPR(3)
	mov	rbp, GPR(5)
	mov	rsi, GPR(6)
	mov	r8, GPR(8)
	mov	r9, GPR(9)
	mov	r10, GPR(10)
	mov	r11, GPR(11)
	mov	r12, GPR(12)
	mov	r13, GPR(13)
	mov	r14, GPR(14)
	mov	r15, GPR(15)
	mov	rdi, GPR(7)			; last: it was the pointer
	vmrun					; back here at #VMEXIT, with RAX and RSP as before
	mov	rax, rdi			; the guest's RDI
	pop	rdi				; the vcpu
	mov	GPR(7), rax
	mov	GPR(1), rcx
	mov	GPR(2), rdx
	mov	GPR(3), rbx
	mov	GPR(5), rbp
	mov	GPR(6), rsi
	mov	GPR(8), r8
	mov	GPR(9), r9
	mov	GPR(10), r10
	mov	GPR(11), r11
	mov	GPR(12), r12
	mov	GPR(13), r13
	mov	GPR(14), r14
	mov	GPR(15), r15
%endmacro

; RDI: the vcpu, which stays there; no other register does. GIF=0.
svm_enter:
	run_guest
	ret

; The same: no branch is predicted between #VMEXIT and the barrier
svm_enter_untrain:
	run_guest
	mov	ecx, MSR_PRED_CMD
	mov	eax, PRED_CMD_IBPB
	xor	edx, edx
	wrmsr
%assign n 0
%rep RETURNS					; some keep their return predictions: these are L0's
	call	over %+ n
trap %+ n:
	pause					; where such a return would be predicted to
	lfence
	jmp	trap %+ n
over %+ n:
%assign n n + 1
%endrep
	add	rsp, RETURNS * 8
	ret
