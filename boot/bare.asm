; From L0's 64-bit mode to an L1 on the machine itself, which begins as multiboot has it: 32-bit
; protected mode, flat segments, paging off. Relies on hv/paging.c's identity map of the image.

	global	bare_enter

%define OFFSET(symbol)	(symbol - IMAGE_BASE)
CR0_PE		equ 1 << 0
CR0_ET		equ 1 << 4
CODE		equ 0x08			; selectors of bare_gdt
DATA		equ 0x10

	section	.text
	bits	64
; bare_enter(edi = hpa of the image, esi = EIP, edx = EAX, ecx = EBX)
bare_enter:
	cli
	mov	ebx, ecx
	mov	ebp, edx			; kept: WRMSR wants ECX, EAX and EDX
	lea	eax, [edi + OFFSET(bare_gdt)]
	mov	[edi + OFFSET(bare_gdtr) + 2], eax
	lgdt	[edi + OFFSET(bare_gdtr)]
	lea	eax, [edi + OFFSET(.compat)]
	mov	[edi + OFFSET(bare_entry)], eax
	jmp	far dword [edi + OFFSET(bare_entry)]

	bits	32
.compat:
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	fs, eax
	mov	gs, eax
	mov	eax, CR0_PE | CR0_ET		; without paging: leaves long mode
	mov	cr0, eax
%include "boot/bare_end.inc"

	section	.data
	align	8
bare_gdt:
	dq	0
	dq	0x00cf9b000000ffff		; CODE: flat, readable
	dq	0x00cf93000000ffff		; DATA: flat, writable
bare_gdtr:
	dw	$ - bare_gdt - 1
	dq	0				; 64-bit LGDT reads eight bytes
no_idt:
	dw	0
	dd	0
	align	4
bare_entry:
	dd	0
	dw	CODE
