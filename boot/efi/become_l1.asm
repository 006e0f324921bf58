; How a processor leaves the firmware for L0 and comes back as L1's, in the midst of what it did:
; all that it is goes to a struct boot_processor, and L0 begins L1 with that. Relies on the layout
; of boot/boot_info.h, and on boot/efi/switch.asm for the way out of long mode.

	global	efi_become_l1

GPR		equ 0				; in struct boot_processor, numbered as in instructions
RIP		equ 128
RFLAGS		equ 136
CR_0		equ 144
CR_2		equ 152
CR_3		equ 160
CR_4		equ 168
EFER		equ 176
DR_6		equ 184
DR_7		equ 192
PAT		equ 200
FS_BASE		equ 208
GS_BASE		equ 216
GDTR		equ 224 + 6			; the limit; the base follows
IDTR		equ 240 + 6
SEGMENTS	equ 256				; ES, CS, SS, DS, 12 bytes each
HAS_LEFT	equ 308
END		equ 384
ENTRY		equ 0				; in struct boot_door
ARGUMENT	equ 4
STAY		equ -1				; for ENTRY: L0 does not come

MSR_PAT		equ 0x277
MSR_EFER	equ 0xc0000080
MSR_FS_BASE	equ 0xc0000100
MSR_GS_BASE	equ 0xc0000101

%macro keep_msr 2				; number, where to
	mov	ecx, %1
	rdmsr
	mov	[rdi + %2], eax
	mov	[rdi + %2 + 4], edx
%endmacro

%macro keep_register 2
	mov	rax, %2
	mov	[rdi + %1], rax
%endmacro

%macro keep_segment 2				; which of the four; a selector that is null has no access
	mov	word [rdi + SEGMENTS + 12 * %1], %2
	xor	eax, eax
	xor	edx, edx
	mov	ecx, %2
	lar	eax, ecx
	lsl	edx, ecx
	mov	[rdi + SEGMENTS + 12 * %1 + 4], eax
	mov	[rdi + SEGMENTS + 12 * %1 + 8], edx
%endmacro

	section	.text
	bits	64
; efi_become_l1(rdi = struct boot_processor, rsi = struct boot_door, rdx = the copy of efi_switch)
; Returns 1 as L1, or 0 if it is to stay.
	align	16
efi_become_l1:
	pushfq
	pop	qword [rdi + RFLAGS]
	cli					; until L1 has its own flags again
	mov	qword [rdi + GPR + 8 * 0], 1	; RAX: what L1 returns
	mov	[rdi + GPR + 8 * 1], rcx
	mov	[rdi + GPR + 8 * 2], rdx
	mov	[rdi + GPR + 8 * 3], rbx
	mov	[rdi + GPR + 8 * 4], rsp
	mov	[rdi + GPR + 8 * 5], rbp
	mov	[rdi + GPR + 8 * 6], rsi
	mov	[rdi + GPR + 8 * 7], rdi
	mov	[rdi + GPR + 8 * 8], r8
	mov	[rdi + GPR + 8 * 9], r9
	mov	[rdi + GPR + 8 * 10], r10
	mov	[rdi + GPR + 8 * 11], r11
	mov	[rdi + GPR + 8 * 12], r12
	mov	[rdi + GPR + 8 * 13], r13
	mov	[rdi + GPR + 8 * 14], r14
	mov	[rdi + GPR + 8 * 15], r15
	mov	r8, rdx
	lea	rax, [rel .l1]
	mov	[rdi + RIP], rax
	keep_register CR_0, cr0
	keep_register CR_2, cr2
	keep_register CR_3, cr3
	keep_register CR_4, cr4
	keep_register DR_6, dr6
	keep_register DR_7, dr7
	keep_msr MSR_EFER, EFER
	keep_msr MSR_PAT, PAT
	keep_msr MSR_FS_BASE, FS_BASE
	keep_msr MSR_GS_BASE, GS_BASE
	sgdt	[rdi + GDTR]
	sidt	[rdi + IDTR]
	keep_segment 0, es
	keep_segment 1, cs
	keep_segment 2, ss
	keep_segment 3, ds
	mov	dword [rdi + HAS_LEFT], 1	; the last store: others wait for it
.wait:	pause
	mov	eax, [rsi + ENTRY]
	test	eax, eax
	jz	.wait
	cmp	eax, STAY
	je	.stay
	lea	edx, [edi + END]		; a stack for the switch
	mov	esi, [rsi + ARGUMENT]
	mov	edi, eax
	jmp	r8
.stay:	push	qword [rdi + RFLAGS]
	popfq
	xor	eax, eax
	ret
.l1:	ret					; RAX is 1
