; The exception stubs of 32-bit L0: see hv/exception.asm.

	section	.text
	bits	32
%include "hv/exception_stubs.inc"

exception_common:
	push	eax				; what a C function may change
	push	ecx
	push	edx
	push	dword [esp + 5 * 4]		; where it happened
	push	dword [esp + 5 * 4]		; error code
	push	dword [esp + 5 * 4]		; vector
	call	exception			; where to go on, or no return
	add	esp, 3 * 4
	mov	[esp + 5 * 4], eax
	pop	edx
	pop	ecx
	pop	eax
	add	esp, 8				; vector and error code
	iretd

	align	16
nmi_stub:
	push	eax
	mov	eax, esp
	and	eax, -STACK_SIZE		; what is this processor's own
	add	dword [eax + NMIS], 1		; svm/ compares it around its window
	adc	dword [eax + NMIS + 4], 0
	pop	eax
	iretd
