; From 32-bit L0 to an L1 on the machine itself: see boot/bare.asm. Relies on hv/paging_i386.c's
; directories, which lie one behind the other, and on hv/move_i386.asm's segments.

	global	bare_enter

%define OFFSET(symbol)	(symbol - IMAGE_BASE)
WINDOW		equ 0x1000000			; hv/phys.h
CR0_PE		equ 1 << 0
CR0_ET		equ 1 << 4
PTE_LARGE	equ 0x083			; present, writable, large page
SHIFT_2M	equ 21
DATA		equ 0x18

	section	.text
	bits	32
; bare_enter(hpa of the image, EIP, EAX, EBX)
bare_enter:
	cli
	mov	edi, [esp + 4]
	mov	esi, [esp + 8]
	mov	ebp, [esp + 12]
	mov	ebx, [esp + 16]
	mov	eax, DATA			; the others are so already
	mov	fs, eax
	mov	gs, eax
	mov	edx, cr3
	mov	edx, [edx + WINDOW]		; PDPTE 0
	and	edx, -4096
	mov	ecx, edi
	shr	ecx, SHIFT_2M
	mov	eax, ecx
	shl	eax, SHIFT_2M
	or	eax, PTE_LARGE			; the image one to one: nobody needs the window any more
	mov	[edx + ecx * 8 + WINDOW], eax
	mov	dword [edx + ecx * 8 + WINDOW + 4], 0
	mov	eax, cr3
	mov	cr3, eax
	lea	eax, [edi + OFFSET(.one_to_one)]
	jmp	eax
.one_to_one:
	mov	eax, CR0_PE | CR0_ET		; without paging
	mov	cr0, eax
%include "boot/bare_end.inc"

	section	.data
no_idt:
	dw	0
	dd	0
