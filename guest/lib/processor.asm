; Where a processor arrives that guest/lib/processors.c starts: in real mode, from a copy of
; processor_start at PROCESSOR_PAGE; it goes to L1's own mode, under L1's tables, on a stack by its
; APIC id, and calls processor_main(id). Relies on entry.asm's GDT.

	global	processor_start, processor_nmi, processor_start_end
	extern	processor_main, processor_cr0, processor_cr3, processor_cr4, processor_efer
	extern	processor_stacks, l1_gdt

CODE32		equ 0x08
DATA		equ 0x10
CODE64		equ 0x18
CR0_PE		equ 1
MSR_EFER	equ 0xc0000080
STACK_SHIFT	equ 14				; guest/lib/processors.h
PROCESSORS	equ 8

	section	.rodata
	bits	16
processor_start:
	mov	ax, cs				; the copy's segment
	mov	ds, ax
	o32 lgdt [processor_gdt - processor_start]
	mov	eax, cr0
	or	al, CR0_PE
	mov	cr0, eax
	jmp	dword CODE32:processor_flat
processor_nmi:					; by real mode's table, for one that comes at once
	push	ds
	push	word 0
	pop	ds
	inc	dword [0x5000]			; PROCESSOR_EARLY_NMIS
	pop	ds
	iret
	align	4
processor_gdt:
	dw	0x1f				; CODE32, DATA, CODE64
	dd	l1_gdt
processor_start_end:

	section	.text
	bits	32
processor_flat:
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	mov	eax, 1
	cpuid
	shr	ebx, 24				; the APIC id
	cmp	ebx, PROCESSORS
	jae	.stop
	mov	edi, ebx
	inc	ebx
	shl	ebx, STACK_SHIFT
	lea	esp, [processor_stacks + ebx]
	mov	eax, [processor_cr4]
	mov	cr4, eax
	mov	eax, [processor_cr3]
	mov	cr3, eax
	mov	ecx, MSR_EFER
	mov	eax, [processor_efer]
	xor	edx, edx
	wrmsr
	mov	eax, [processor_cr0]
	mov	cr0, eax			; paging, and long mode where L1 has it
%ifdef L1_64
	jmp	CODE64:.long
	bits	64
.long:
	call	processor_main			; its argument is in RDI
	bits	32
%else
	push	edi
	call	processor_main
%endif
.stop:	cli
	hlt
	jmp	.stop
