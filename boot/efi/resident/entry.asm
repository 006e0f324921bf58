; Where an image enters the resident program, from 32 or 64 bits (resident.h): goes to the mode that
; EFI's runtime services want (UEFI 2.10, section 2.3.4), on tables and a stack of its own.

	global	resident_entry
	extern	resident_main

CODE32		equ 0x08		; selectors of the table below
DATA		equ 0x10
CODE64		equ 0x18
CR0_PE		equ 1 << 0
CR0_MP		equ 1 << 1
CR0_ET		equ 1 << 4
CR0_NE		equ 1 << 5
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
CR4_OSFXSR	equ 1 << 9
CR4_OSXMMEXCPT	equ 1 << 10
CR4_PCIDE	equ 1 << 17
CR4_CET		equ 1 << 23
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_SVME	equ 1 << 12
TABLES_AT	equ 0x1a000		; as in resident.h; the stack ends there
%define AT(label) ebx + (label - resident_entry)

	section	.entry
	bits	32
; In: EBX = the address of this. The same bytes for 32 and 64 bits up to the second jump.
resident_entry:
	xor	eax, eax
	db	0x40			; 32 bits: INC EAX; 64 bits: a prefix of the next one
	nop
	test	eax, eax
	jnz	protected
	jmp	short long_mode

	align	16
	dq	0			; struct resident_head: the runtime services

	bits	64
long_mode:
	cli
	mov	ebx, ebx		; no more than 32 bits count
	lea	rsp, [rbx + TABLES_AT]
	lea	rax, [rel gdt]
	mov	[rel gdtr.base], rax
	lgdt	[rel gdtr]
	lea	rax, [rel protected]
	push	CODE32
	push	rax
	retfq				; into compatibility mode

	bits	32
protected:
	cli
	cld
	lea	eax, [AT(gdt)]
	mov	[AT(gdtr.base)], eax
	lgdt	[AT(gdtr)]
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	fs, eax
	mov	gs, eax
	lea	esp, [ebx + TABLES_AT]
	lidt	[AT(no_idt)]		; a fault resets the machine, which comes next anyway
	mov	eax, cr4
	and	eax, ~(CR4_PCIDE | CR4_CET)	; PG and WP cannot be cleared with these set
	mov	cr4, eax
	mov	eax, CR0_PE | CR0_MP | CR0_ET | CR0_NE	; no paging, no long mode
	mov	cr0, eax
	xor	eax, eax
	mov	dr7, eax		; no breakpoint of the image's
	mov	ecx, MSR_EFER
	rdmsr
	test	eax, EFER_SVME
	jz	.no_svm
	stgi				; SMIs, which firmware may write variables by, wait for GIF
.no_svm:
	mov	eax, EFER_LME
	xor	edx, edx
	wrmsr
	mov	eax, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT
	mov	cr4, eax
	lea	eax, [ebx + TABLES_AT]
	mov	cr3, eax
	mov	eax, CR0_PG | CR0_PE | CR0_MP | CR0_ET | CR0_NE
	mov	cr0, eax		; long mode is active from here
	lea	eax, [AT(wide)]
	mov	[AT(wide_entry)], eax
	jmp	far dword [AT(wide_entry)]

	bits	64
wide:
	mov	ebx, ebx
	lea	rsp, [rbx + TABLES_AT]
	fninit
	ldmxcsr	[rel mxcsr]
	mov	rdi, rbx
	call	resident_main		; does not return

	align	8
gdt:	dq	0
	dq	0x00cf9b000000ffff	; CODE32: flat, readable
	dq	0x00cf93000000ffff	; DATA: flat, writable
	dq	0x00af9b000000ffff	; CODE64
gdtr:	dw	$ - gdt - 1
.base:	dq	0			; 32-bit LGDT reads four bytes of it
no_idt:	dw	0
	dd	0
	align	4
wide_entry:
	dd	0
	dw	CODE64
	align	4
mxcsr:	dd	0x1f80			; as EFI has it: every exception masked
