; What loaders look for, and where they enter: 32-bit protected mode without paging. Works wherever the
; image was loaded (page aligned, below 4 GiB). Relies on linker.ld for the symbols of the image's
; bounds, on the Makefile for IMAGE_BASE, and on boot/entry.asm, or boot/entry_i386.asm, for the way on.

	extern	image_file_end, image_end
	extern	early_stack_top, enter_paging
	global	entry32, refuse

MULTIBOOT1_MAGIC	equ 0x1badb002
MULTIBOOT1_FLAGS	equ 0x00010003		; modules page aligned, memory information, address fields
MULTIBOOT2_MAGIC	equ 0xe85250d6
TAG_ADDRESS		equ 2
TAG_ENTRY		equ 3
TAG_FRAMEBUFFER	equ 5
TAG_MODULE_ALIGN	equ 6
TAG_OPTIONAL	equ 1				; flag: who cannot do it goes on without

VGA_TEXT	equ 0xb8000
VGA_GREY	equ 0x07			; on black

LOAD_ADDRESS	equ 0x100000			; as in linker.ld
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

	jmp	enter_paging			; EBP = where the image is, ESI = magic, EBX = information

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
