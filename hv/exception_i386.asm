; The exception stubs of 32-bit L0: see hv/exception.asm.

	global	exception_stubs, nmi_stub
	extern	exception

STACK_SIZE	equ 16384			; hv/stack.h
NMIS		equ 8				; struct stack_base.nmis

	section	.text
	bits	32

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
