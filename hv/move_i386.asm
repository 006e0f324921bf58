; Copies the image to its place and goes on there under new page tables: the image's linear addresses
; stay what they are. Relies on hv/paging_i386.c for the tables.

	global	move_and_switch, gdt, gdtr

	section	.text
	bits	32
; void move_and_switch(void *to, const void *from, uint32_t bytes, uint32_t cr3)
move_and_switch:
	push	esi				; callee-saved; the stack moves with the image
	push	edi
	mov	edi, [esp + 12]
	mov	esi, [esp + 16]
	mov	ecx, [esp + 20]
	mov	eax, [esp + 24]
	cld
	rep movsb				; from here on nothing is written before the switch
	mov	cr3, eax
	pop	edi
	pop	esi
	ret

	section	.data
	align	8
gdt:
	dq	0
	dq	0x00cf9b000000ffff		; code, flat: where 64-bit L0 has its own
	dq	0x00cf9b000000ffff		; CODE32
	dq	0x00cf93000000ffff		; DATA
gdtr:
	dw	$ - gdt - 1
	dd	0
