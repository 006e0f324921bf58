; From 32-bit protected mode without paging to start() under PAE tables that map the first 4 GiB as the
; window of hv/phys.h has it. Relies on boot/head.asm for the way here, on the image being loaded below
; IMAGE_BASE, and on hv/move_i386.asm for the segments.

	extern	start, refuse, gdt, gdtr
	global	enter_paging, early_stack_top

CR0_PG		equ 1 << 31
CR0_WP		equ 1 << 16
CR0_PE		equ 1 << 0
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_NXE	equ 1 << 11
PDPTE		equ 0x001			; present; W is reserved there (APM vol. 2, section 5.2.3)
PTE_TABLE	equ 0x003			; present, writable
PTE_LARGE	equ 0x083			; present, writable, large page
CODE		equ 0x08			; selectors of gdt
DATA		equ 0x18
STACK_SIZE	equ 16384			; hv/stack.h: aligned to its size
WINDOW_SHIFT	equ 24				; hv/phys.h: the window begins at 16 MiB
IMAGE_PDE	equ IMAGE_BASE >> 21
%define OFFSET(symbol)	(symbol - IMAGE_BASE)	; from the start of the image

	section	.text
	bits	32
; In: EBP = where the image was loaded, ESI = magic of the protocol, EBX = its information.
enter_paging:
	push	ebx				; CPUID overwrites it
	mov	eax, 0x80000000
	cpuid
	lea	edi, [ebp + OFFSET(no_nx_text)]
	cmp	eax, 0x80000001
	jb	refuse
	mov	eax, 0x80000001
	cpuid
	bt	edx, 20				; NX
	jnc	refuse
	lea	edi, [ebp + OFFSET(no_cr8_text)]
	bt	ecx, 4				; AltMovCr8: CR8 in 32-bit code
	jnc	refuse
	pop	ebx

	; All of 4 GiB by 2 MiB pages, 16 MiB above where it is; the last 16 MiB below that.
	mov	eax, PTE_LARGE
	mov	ecx, 4 * 512
	mov	edx, 1 << WINDOW_SHIFT >> 21	; EDX = number of the entry
.pd:	and	edx, 4 * 512 - 1
	mov	[ebp + OFFSET(early_pd) + edx * 8], eax	; the high half of each entry is zero already
	add	eax, 0x200000
	inc	edx
	loop	.pd
	; One to one below the image, for the next few instructions.
	mov	eax, PTE_LARGE
	lea	edi, [ebp + OFFSET(early_pd)]
	mov	ecx, IMAGE_PDE
.one:	mov	[edi], eax
	add	eax, 0x200000
	add	edi, 8
	loop	.one
	; The image: 4 KiB pages, so that any page will do to load it.
	lea	eax, [ebp + OFFSET(early_pt) + PTE_TABLE]
	mov	[edi], eax
	lea	edi, [ebp + OFFSET(early_pt)]
	lea	eax, [ebp + PTE_TABLE]
	mov	ecx, 512
.pt:	mov	[edi], eax
	add	eax, 4096
	add	edi, 8
	loop	.pt
	lea	edi, [ebp + OFFSET(early_pdpt)]
	lea	eax, [ebp + OFFSET(early_pd) + PDPTE]
	mov	ecx, 4
.pdpt:	mov	[edi], eax
	add	eax, 4096
	add	edi, 8
	loop	.pdpt

	lea	eax, [ebp + OFFSET(gdt)]	; the descriptor holds physical addresses for now
	mov	[ebp + OFFSET(gdtr) + 2], eax
	lgdt	[ebp + OFFSET(gdtr)]
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	eax, CR4_PAE
	mov	cr4, eax
	lea	eax, [ebp + OFFSET(early_pdpt)]
	mov	cr3, eax
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, EFER_NXE
	wrmsr
	mov	eax, cr0
	or	eax, CR0_PG | CR0_WP | CR0_PE
	mov	cr0, eax
	jmp	CODE:high			; from one to one to where it was linked
high:
	mov	dword [gdtr + 2], gdt
	lgdt	[gdtr]
	mov	esp, early_stack_top
	xor	eax, eax
	push	eax				; third argument, of 64 bits: hpa of the image
	push	ebp
	push	eax				; second: hpa of the information
	push	ebx
	push	esi				; first: magic
	call	start
	ud2					; start() does not return

	section	.rodata
no_nx_text:
	db	"nestling: error: this processor has no NX; enable it in the firmware's setup (QEMU: -cpu host or max)", 13, 10, 0
no_cr8_text:
	db	"nestling: error: this processor has no CR8 in 32-bit code (AltMovCr8); Nestling needs an AMD processor with SVM", 13, 10, 0

	section	.bss
	alignb	4096
early_pdpt:	resb 4096
early_pd:	resb 4 * 4096
early_pt:	resb 4096
	alignb	STACK_SIZE
early_stack:	resb STACK_SIZE			; start() and, on the first processor, all that follows
early_stack_top:
