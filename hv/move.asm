; Copies the image to its place and goes on there under new page tables. CR4.LA57 can change only
; while paging is off (APM 5.3.1), so this leaves 64-bit mode and comes back. Relies on the image
; being mapped one to one at its new place, before and after (hv/paging.c).

	global	move_and_switch, gdt, gdtr

%define OFFSET(symbol)	(symbol - IMAGE_BASE)
CR0_PG		equ 1 << 31
CODE64		equ 0x08			; selectors of gdt
CODE32		equ 0x10
DATA		equ 0x18

	section	.text
	bits	64
; move_and_switch(rdi = hpa of the new place, rsi = image now, rdx = bytes, rcx = CR3, r8 = CR4)
move_and_switch:
	push	rbx				; callee-saved, and the stack moves with the image
	push	rbp
	mov	r9, rcx				; CR3
	mov	ebx, edi			; EBX = where the image will be
	mov	rcx, rdx
	cld
	rep movsb				; through the identity map
	mov	rbp, rsp			; 32-bit code would cut RSP off
	lea	rax, [ebx + OFFSET(gdt)]	; from now on only one-to-one addresses
	mov	[ebx + OFFSET(gdtr) + 2], rax
	lgdt	[ebx + OFFSET(gdtr)]
	lea	eax, [ebx + OFFSET(.compat)]
	mov	[ebx + OFFSET(far_pointer)], eax
	mov	word [ebx + OFFSET(far_pointer) + 4], CODE32
	lea	esi, [ebx + OFFSET(.long)]	; where to come back
	mov	edi, r9d			; 32-bit code has no R8, R9: CR3
	mov	ecx, r8d			; and CR4
	jmp	far dword [ebx + OFFSET(far_pointer)]

	bits	32
.compat:
	mov	eax, DATA			; flat data for the time without paging
	mov	ds, eax
	mov	ss, eax
	mov	edx, cr0
	mov	eax, edx
	and	eax, ~CR0_PG			; leaves 64-bit mode: EFER.LMA becomes 0
	mov	cr0, eax
	mov	cr4, ecx
	mov	cr3, edi
	mov	cr0, edx			; back into 64-bit mode
	mov	[ebx + OFFSET(far_pointer)], esi
	mov	word [ebx + OFFSET(far_pointer) + 4], CODE64
	jmp	far dword [ebx + OFFSET(far_pointer)]

	bits	64
.long:
	xor	eax, eax
	mov	ds, ax				; null selectors do for data in 64-bit mode
	mov	es, ax
	mov	ss, ax
	mov	rax, gdt			; the descriptor table by its linked address
	mov	[gdtr + 2], rax
	lgdt	[gdtr]
	mov	rsp, rbp
	mov	rax, .high
	jmp	rax				; from the identity map to where it was linked
.high:
	pop	rbp
	pop	rbx
	ret

	section	.data
	align	8
gdt:
	dq	0
	dq	0x00209b0000000000		; CODE64
	dq	0x00cf9b000000ffff		; CODE32
	dq	0x00cf93000000ffff		; DATA
gdtr:
	dw	$ - gdt - 1
	dq	0
	align	4
far_pointer:
	dd	0
	dw	0
