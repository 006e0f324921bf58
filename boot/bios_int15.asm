; What stands before the BIOS's INT 15h in L1: the calls that tell memory answer from a table that
; boot/bios_memory.c makes, all others go on to the BIOS. Runs in L1, in real mode, in a copy that
; begins a segment. Relies on nothing of L0's. Ralf Brown's Interrupt List has the calls.

	global	int15_begin, int15_data, int15_end

%define AT(symbol)	(symbol - int15_begin)	; from the start of the segment
SMAP		equ 0x534d4150
ENTRY_SIZE	equ 20
CARRY		equ 1
UNSUPPORTED	equ 0x86
FLAGS		equ 6				; on the stack, behind BP, IP and CS

	section	.rodata
	align	16
	bits	16
int15_begin:
	cmp	ax, 0xe820
	je	.map
	cmp	ax, 0xe801
	je	.two_sizes
	cmp	ax, 0xda88
	je	.size24
	cmp	ah, 0x88
	je	.size16
	cmp	ax, 0xe881			; the same in other shapes: callers have the ones above
	je	.refuse
	cmp	ah, 0x8a
	je	.refuse
	cmp	ah, 0xc7
	je	.refuse
	jmp	far [cs:AT(int15_data.old)]

.map:	cmp	edx, SMAP
	jne	.refuse
	cmp	ecx, ENTRY_SIZE			; the caller's buffer at ES:DI
	jb	.refuse
	cmp	ebx, [cs:AT(int15_data.count)]	; which entry
	jae	.refuse
	push	ds
	push	si
	push	di
	push	cs
	pop	ds
	imul	si, bx, ENTRY_SIZE
	add	si, AT(int15_end)
	mov	cx, ENTRY_SIZE / 2
	cld					; IRET gives the caller's flags back
	rep movsw
	pop	di
	pop	si
	pop	ds
	mov	ecx, ENTRY_SIZE
	mov	eax, SMAP
	inc	ebx
	cmp	ebx, [cs:AT(int15_data.count)]
	jb	.succeed
	xor	ebx, ebx			; it was the last
	jmp	.succeed

.two_sizes:
	mov	ax, [cs:AT(int15_data.low_kib)]
	mov	bx, [cs:AT(int15_data.high_blocks)]
	mov	cx, ax
	mov	dx, bx
	jmp	.succeed

.size24:
	mov	bx, [cs:AT(int15_data.all_kib)]
	mov	cl, [cs:AT(int15_data.all_kib) + 2]
	mov	ah, 0
	jmp	.succeed

.size16:
	mov	ax, [cs:AT(int15_data.old_kib)]

.succeed:
	push	bp
	mov	bp, sp
	and	word [bp + FLAGS], ~CARRY
	pop	bp
	iret

.refuse:
	mov	ah, UNSUPPORTED
	push	bp
	mov	bp, sp
	or	word [bp + FLAGS], CARRY
	pop	bp
	iret

	align	4
int15_data:					; struct int15_data in boot/bios_memory.c
.old:		dd 0				; the BIOS's vector
.count:		dd 0				; entries, which follow int15_end
.low_kib:	dw 0
.high_blocks:	dw 0
.all_kib:	dd 0
.old_kib:	dw 0
		dw 0
int15_end:
