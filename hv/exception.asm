; The exception stubs of L0. Interrupts stay off (GIF=0), so only exceptions and, in a window that
; svm/ opens on purpose, NMIs come here; on the current stack, as TR is the guest's (no IST).

	global	exception_stubs, nmi_stub
	extern	exception

STACK_SIZE	equ 16384			; hv/stack.h
NMIS		equ 8				; struct stack_base.nmis

	section	.text
	bits	64

%macro stub 1
	align	16
%if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
%else
	push	0				; no error code from the processor
%endif
	push	%1				; vector
	jmp	exception_common
%endmacro

exception_stubs:				; 16 bytes each, by vector
%assign vector 0
%rep 32
	stub	vector
%assign vector vector + 1
%endrep

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
