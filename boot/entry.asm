; The way into L0: what loaders look for, and from 32-bit protected mode without paging to start()
; in 64-bit mode. Works wherever the image was loaded (page aligned, below 4 GiB). Relies on
; linker.ld for the symbols of the image's bounds.

	extern	image_file_end, image_end
	extern	start
	global	entry32

MULTIBOOT1_MAGIC	equ 0x1badb002
MULTIBOOT1_FLAGS	equ 0x00010003		; modules page aligned, memory information, address fields
MULTIBOOT2_MAGIC	equ 0xe85250d6
TAG_ADDRESS		equ 2
TAG_ENTRY		equ 3
TAG_FRAMEBUFFER	equ 5
TAG_MODULE_ALIGN	equ 6
TAG_OPTIONAL	equ 1				; flag: who cannot do it goes on without

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
VGA_TEXT	equ 0xb8000
VGA_GREY	equ 0x07			; on black

IMAGE_BASE	equ 0xffffffff80000000		; as in linker.ld
LOAD_ADDRESS	equ 0x100000
STACK_SIZE	equ 16384			; hv/stack.h: aligned to its size
%define OFFSET(symbol)	(symbol - IMAGE_BASE)	; from the start of the image
%define LOADED(symbol)	(symbol - IMAGE_BASE + LOAD_ADDRESS)

	section	.head progbits alloc exec nowrite align=4096

	; For the EFI program: see boot/efi/.
	db	"NESTLING"
	dd	OFFSET(image_end)		; bytes in memory
	dd	OFFSET(entry32)			; where to enter, from the start of the image

	align	4
multiboot1:
	dd	MULTIBOOT1_MAGIC
	dd	MULTIBOOT1_FLAGS
	dd	-(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)
	dd	LOADED(multiboot1)		; header_addr
	dd	LOAD_ADDRESS			; load_addr
	dd	LOADED(image_file_end)		; load_end_addr
	dd	LOADED(image_end)		; bss_end_addr
	dd	LOADED(entry32)			; entry_addr

	align	8
multiboot2:
	dd	MULTIBOOT2_MAGIC
	dd	0				; architecture: i386, protected mode
	dd	multiboot2_end - multiboot2
	dd	-(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2))
	dw	TAG_ADDRESS, 0
	dd	24
	dd	LOADED(multiboot2), LOAD_ADDRESS, LOADED(image_file_end), LOADED(image_end)
	dw	TAG_ENTRY, 0
	dd	12
	dd	LOADED(entry32), 0
	dw	TAG_FRAMEBUFFER, TAG_OPTIONAL
	dd	20
	dd	0, 0, 0				; of any width, height and depth
	dd	0				; aligns the next tag
	dw	TAG_MODULE_ALIGN, 0
	dd	8
	dw	0, 0				; end of tags
	dd	8
multiboot2_end:

	bits	32
; In: EAX = magic of the protocol, EBX = its information. There is no stack: the first word of the
; information serves as one for the call that tells where the image is.
entry32:
	cli
	cld
	mov	ecx, [ebx]			; keep the word
	lea	esp, [ebx + 4]
	call	.here
.here:	pop	ebp
	mov	[ebx], ecx			; give it back
	sub	ebp, OFFSET(.here)		; EBP = where the image was loaded
	lea	esp, [ebp + OFFSET(early_stack_top)]
	mov	esi, eax			; ESI = magic; EBX stays the information

	lea	edi, [ebp + OFFSET(image_file_end)]	; zero .bss: not every loader does
	mov	ecx, OFFSET(image_end)
	sub	ecx, OFFSET(image_file_end)
	xor	eax, eax
	rep stosb

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

; In: EDI = text. It goes to the screen, too, if that is VGA's in text mode; else nobody sees it there.
refuse:
	mov	esi, edi
	mov	edx, VGA_TEXT
	mov	ah, VGA_GREY
.show:	lodsb
	cmp	al, ' '
	jb	.next				; the end, or that of the line
	mov	[edx], ax
	add	edx, 2
	jmp	.show
.next:	mov	dx, 0x3fd			; COM1's line status
	in	al, dx
	test	al, 0x20			; can it take a byte?
	jz	.next
	mov	al, [edi]
	test	al, al
	jz	.halt
	mov	dx, 0x3f8
	out	dx, al
	inc	edi
	jmp	.next
.halt:	hlt
	jmp	.halt

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
