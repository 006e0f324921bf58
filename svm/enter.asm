; The world switch. What VMRUN does not swap are the general registers; the state that VMLOAD and
; VMSAVE move, the FPU's, R12 to R15 and the debug registers stay the guest's, as L0 uses none of them.
; Relies on the layout of struct vcpu (svm/vcpu.h).

	global	svm_enter, svm_enter_untrain

%define GPR(n)		8 * n			; in struct vcpu.gpr, numbered as in instructions
%define VMCB_HPA	[rbx + 128]
%define HOST_FLAGS	[rbx + 136]

	section	.text
	bits	64
%macro run_guest 0
	push	rbx				; to find the vcpu again
	mov	rax, VMCB_HPA			; VMRUN's operand
	push	qword HOST_FLAGS		; POPF sets IF without the shadow that STI has
	popfq
	mov	rcx, [rbx + GPR(1)]
	mov	rdx, [rbx + GPR(2)]
	mov	rbp, [rbx + GPR(5)]
	mov	rsi, [rbx + GPR(6)]
	mov	rdi, [rbx + GPR(7)]
	mov	r8, [rbx + GPR(8)]
	mov	r9, [rbx + GPR(9)]
	mov	r10, [rbx + GPR(10)]
	mov	r11, [rbx + GPR(11)]
	mov	rbx, [rbx + GPR(3)]		; last: it was the pointer
	vmrun					; back here at #VMEXIT, with RAX and RSP as before
	pop	rax				; the vcpu
	mov	[rax + GPR(3)], rbx
	mov	rbx, rax
	mov	[rbx + GPR(1)], rcx
	mov	[rbx + GPR(2)], rdx
	mov	[rbx + GPR(5)], rbp
	mov	[rbx + GPR(6)], rsi
	mov	[rbx + GPR(7)], rdi
	mov	[rbx + GPR(8)], r8
	mov	[rbx + GPR(9)], r9
	mov	[rbx + GPR(10)], r10
	mov	[rbx + GPR(11)], r11
%endmacro

; RBX: the vcpu, which stays there, as handlers keep it; no other register does. GIF=0.
svm_enter:
	run_guest
	ret

; The same: no branch is predicted between #VMEXIT and the barrier
svm_enter_untrain:
	run_guest
%include "svm/untrain.inc"
	add	rsp, RETURNS * 8
	ret
