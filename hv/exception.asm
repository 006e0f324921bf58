; The exception stubs of L0. Interrupts stay off (GIF=0), so only exceptions and, in a window that
; svm/ opens on purpose, NMIs come here; on the current stack, as TR is the guest's (no IST).

	section	.text
	bits	64
%include "hv/exception_stubs.inc"

exception_common:
	push	rax				; what a C function may change
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	mov	rdi, [rsp + 9 * 8]		; vector
	mov	rsi, [rsp + 10 * 8]		; error code
	mov	rdx, [rsp + 11 * 8]		; where it happened
	call	exception			; where to go on, or no return
	mov	[rsp + 11 * 8], rax
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, 16				; vector and error code
	iretq

	align	16
nmi_stub:
	push	rax
	mov	rax, rsp
	and	rax, -STACK_SIZE		; what is this processor's own
	inc	qword [rax + NMIS]		; svm/ compares it around its window
	pop	rax
	iretq
