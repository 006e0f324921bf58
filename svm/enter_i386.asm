; The world switch of 32-bit L0: see svm/enter.asm. There are no R8 to R15, and the high halves of
; struct vcpu.gpr stay 0.

	global	svm_enter, svm_enter_untrain

%define GPR(n)		8 * n			; in struct vcpu.gpr, numbered as in instructions
%define VMCB_HPA	[ebx + 128]
%define HOST_FLAGS	[ebx + 136]

	section	.text
	bits	32
%macro run_guest 0
	push	ebx				; to find the vcpu again
	mov	eax, VMCB_HPA			; VMRUN's operand
	push	dword HOST_FLAGS		; POPF sets IF without the shadow that STI has
	popfd
	mov	ecx, [ebx + GPR(1)]
	mov	edx, [ebx + GPR(2)]
	mov	ebp, [ebx + GPR(5)]
	mov	esi, [ebx + GPR(6)]
	mov	edi, [ebx + GPR(7)]
	mov	ebx, [ebx + GPR(3)]		; last: it was the pointer
	vmrun					; back here at #VMEXIT, with EAX and ESP as before
	pop	eax				; the vcpu
	mov	[eax + GPR(3)], ebx
	mov	ebx, eax
	mov	[ebx + GPR(1)], ecx
	mov	[ebx + GPR(2)], edx
	mov	[ebx + GPR(5)], ebp
	mov	[ebx + GPR(6)], esi
	mov	[ebx + GPR(7)], edi
%endmacro

; EBX: the vcpu, which stays there; no other register does. GIF=0.
svm_enter:
	run_guest
	ret

; The same: no branch is predicted between #VMEXIT and the barrier
svm_enter_untrain:
	run_guest
%include "svm/untrain.inc"
	add	esp, RETURNS * 4
	ret
