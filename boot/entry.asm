; From 32-bit protected mode without paging to start() in 64-bit mode, under tables that map the first
; 4 GiB. Relies on boot/head.asm for the way here, on the Makefile for IMAGE_BASE.

	extern	start, refuse
	global	enter_paging, early_stack_top

CR0_PG		equ 1 << 31
CR0_WP		equ 1 << 16
CR0_PE		equ 1 << 0
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11
PTE_TABLE	equ 0x003			; present, writable
PTE_LARGE	equ 0x083			; present, writable, large page
CODE64		equ 0x08			; selectors of early_gdt
STACK_SIZE	equ 16384			; hv/stack.h: aligned to its size
%define OFFSET(symbol)	(symbol - IMAGE_BASE)	; from the start of the image

	section	.text
	bits	32
; In: EBP = where the image was loaded, ESI = magic of the protocol, EBX = its information.
enter_paging:
	push	ebx				; CPUID overwrites it
	mov	eax, 0x80000000			; is there a 64-bit mode?
	cpuid
	lea	edi, [ebp + OFFSET(no_long_mode_text)]
	cmp	eax, 0x80000001
	jb	refuse
	mov	eax, 0x80000001
	cpuid
	bt	edx, 29				; LM
	jnc	refuse
	lea	edi, [ebp + OFFSET(no_nx_text)]
	bt	edx, 20				; NX
	jnc	refuse
	pop	ebx

	; Identity map of 4 GiB by 2 MiB pages; the window at PHYS_WINDOW shares its tables.
	lea	edi, [ebp + OFFSET(early_pd)]
	mov	eax, PTE_LARGE
	mov	ecx, 4 * 512
.pd:	mov	[edi], eax			; the high half of each entry is zero already
	add	eax, 0x200000
	add	edi, 8
	loop	.pd
	lea	edi, [ebp + OFFSET(early_pdpt_low)]
	lea	eax, [ebp + OFFSET(early_pd) + PTE_TABLE]
	mov	ecx, 4
.pdpt:	mov	[edi], eax
	add	eax, 4096
	add	edi, 8
	loop	.pdpt
	; The image at image_base: 4 KiB pages, so that any page will do to load it.
	lea	edi, [ebp + OFFSET(early_pt)]
	lea	eax, [ebp + PTE_TABLE]
	mov	ecx, 512
.pt:	mov	[edi], eax
	add	eax, 4096
	add	edi, 8
	loop	.pt
	lea	eax, [ebp + OFFSET(early_pt) + PTE_TABLE]
	mov	[ebp + OFFSET(early_pd_high)], eax		; bits 29:21 of image_base are 0
	lea	eax, [ebp + OFFSET(early_pd_high) + PTE_TABLE]
	mov	[ebp + OFFSET(early_pdpt_high) + 510 * 8], eax	; bits 38:30 are 510
	lea	eax, [ebp + OFFSET(early_pdpt_low) + PTE_TABLE]
	mov	[ebp + OFFSET(early_pml4)], eax
	mov	[ebp + OFFSET(early_pml4) + 256 * 8], eax	; PHYS_WINDOW
	lea	eax, [ebp + OFFSET(early_pdpt_high) + PTE_TABLE]
	mov	[ebp + OFFSET(early_pml4) + 511 * 8], eax

	mov	eax, CR4_PAE
	mov	cr4, eax
	lea	eax, [ebp + OFFSET(early_pml4)]
	mov	cr3, eax
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, EFER_LME | EFER_NXE
	wrmsr
	mov	eax, cr0
	or	eax, CR0_PG | CR0_WP | CR0_PE
	mov	cr0, eax

	lea	eax, [ebp + OFFSET(early_gdt)]	; the descriptor holds physical addresses for now
	mov	[ebp + OFFSET(early_gdtr) + 2], eax
	lgdt	[ebp + OFFSET(early_gdtr)]
	push	dword CODE64
	lea	eax, [ebp + OFFSET(entry64)]
	push	eax
	retf					; into the 64-bit segment

	bits	64
entry64:
	xor	eax, eax
	mov	ds, ax				; null selectors do for data in 64-bit mode
	mov	es, ax
	mov	ss, ax
	mov	edi, esi			; first argument: magic
	mov	esi, ebx			; second: hpa of the information
	mov	edx, ebp			; third: hpa of the image
	mov	rax, high
	jmp	rax				; from the identity map to where it was linked
high:
	mov	rsp, early_stack_top
	call	start
	ud2					; start() does not return

	section	.rodata
no_long_mode_text:
	db	"nestling: error: this processor has no 64-bit mode; Nestling needs an AMD processor with SVM", 13, 10, 0
no_nx_text:
	db	"nestling: error: this processor has no NX; enable it in the firmware's setup (QEMU: -cpu host or max)", 13, 10, 0

	section	.data
	align	8
early_gdt:
	dq	0
	dq	0x00209b0000000000		; CODE64
early_gdtr:
	dw	$ - early_gdt - 1
	dq	0

	section	.bss
	alignb	4096
early_pml4:	resb 4096
early_pdpt_low:	resb 4096
early_pdpt_high: resb 4096
early_pd:	resb 4 * 4096
early_pd_high:	resb 4096
early_pt:	resb 4096
	alignb	STACK_SIZE
early_stack:	resb STACK_SIZE			; start() and, on the first processor, all that follows
early_stack_top:
