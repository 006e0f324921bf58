; From the firmware's long mode to 32-bit protected mode without paging, where the core begins.
; The EFI program copies this code to a page below 4 GiB, identity mapped and executable, and calls
; it there; it uses the rest of the page as its stack. Carries the core's binary as well.

	global	efi_switch, efi_switch_end, efi_core, efi_core_end

CODE32		equ 0x08		; selectors of the table below
DATA32		equ 0x10
CR0_PG		equ 1 << 31
CR4_PCIDE	equ 1 << 17
CR4_CET		equ 1 << 23
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
BOOT_INFO_MAGIC	equ 0x4e53544c		; as in boot/boot_info.h

	section	.text
	bits	64
; In (System V): EDI = where the core is entered, ESI = struct boot_info, EDX = top of the stack.
	align	16
efi_switch:
	cli
	cld
	mov	esp, edx			; the firmware's stack may be above 4 GiB
	mov	rax, cr4
	and	eax, ~(CR4_PCIDE | CR4_CET)	; PG and WP cannot be cleared with these set
	mov	cr4, rax
	lea	rax, [rel gdt]
	mov	[rel gdtr.base], rax
	lgdt	[rel gdtr]
	lea	rax, [rel compatible]
	push	CODE32
	push	rax
	o64 retf				; still with paging, but in 32-bit code

	bits	32
compatible:
	mov	eax, DATA32
	mov	ds, eax
	mov	es, eax
	mov	ss, eax				; FS and GS may be L1's: boot/efi/become_l1.asm
	mov	eax, cr0
	and	eax, ~CR0_PG			; leaves long mode
	mov	cr0, eax
	mov	ecx, MSR_EFER
	rdmsr
	and	eax, ~EFER_LME
	wrmsr
	xor	eax, eax			; no PAE, no LA57: what multiboot's loaders hand over
	mov	cr4, eax
	mov	cr3, eax			; flushes what paging left in the TLB
	mov	eax, BOOT_INFO_MAGIC
	mov	ebx, esi
	jmp	edi

	align	8
gdt:	dq	0
	dq	0x00cf9b000000ffff		; CODE32: flat, readable
	dq	0x00cf93000000ffff		; DATA32: flat, writable
gdtr:	dw	$ - gdt - 1
.base:	dq	0
efi_switch_end:

	section	.rodata
	align	16
efi_core:
	incbin	CORE
efi_core_end:
