; What a processor does that guest/startup.c starts: in real mode, from a copy of this code below
; 64 KiB. It writes down the state that it finds and then counts, until it is told to halt. Relies
; on DS=0, as INIT leaves it, and on struct mailbox of guest/startup.c, at MAILBOX.

	global	init_state_code, init_state_end

MAILBOX		equ 0x5000
STACK		equ 0x5ff0			; behind the mailbox
MSR_EFER	equ 0xc0000080
MSR_APIC_BASE	equ 0x1b
MSR_X2APIC_ID	equ 0x802
%define FIELD(n)	[MAILBOX + 4 * n]

	section .rodata
	bits 16
init_state_code:
	mov	FIELD(0), eax
	mov	FIELD(1), ecx
	mov	FIELD(2), edx
	mov	FIELD(3), ebx
	mov	FIELD(4), esp
	mov	FIELD(5), ebp
	mov	FIELD(6), esi
	mov	FIELD(7), edi
	mov	eax, 0				; keeps the flags
	mov	ax, cs
	mov	FIELD(8), eax
	mov	ax, ds
	mov	FIELD(9), eax
	mov	ax, es
	mov	FIELD(10), eax
	mov	ax, ss
	mov	FIELD(11), eax
	mov	ax, fs
	mov	FIELD(12), eax
	mov	ax, gs
	mov	FIELD(13), eax
	mov	esp, STACK
	pushfd
	pop	eax
	mov	FIELD(14), eax
	mov	eax, cr0
	mov	FIELD(15), eax
	mov	eax, cr2
	mov	FIELD(16), eax
	mov	eax, cr3
	mov	FIELD(17), eax
	mov	eax, cr4
	mov	FIELD(18), eax
	mov	eax, dr6
	mov	FIELD(19), eax
	mov	eax, dr7
	mov	FIELD(20), eax
	mov	ecx, MSR_EFER
	rdmsr
	mov	FIELD(21), eax
	o32 sgdt FIELD(22)			; 6 bytes
	o32 sidt FIELD(24)
	mov	eax, 1
	cpuid
	shr	ebx, 24				; the APIC id
	mov	FIELD(26), ebx
	cmp	dword FIELD(30), 0		; told to go over to x2APIC mode?
	je	.x2apic
	mov	ecx, MSR_APIC_BASE
	rdmsr
	or	eax, 1 << 10			; EXTD; it may be there from the last time
	wrmsr
	mov	ecx, MSR_X2APIC_ID
	rdmsr
	mov	FIELD(26), eax
.x2apic:
	lock inc dword FIELD(27)		; starts
.count:	inc	dword FIELD(28)			; alive
	cmp	dword FIELD(29), 0		; told to halt?
	je	.count
.halt:	hlt
	jmp	.halt
init_state_end:
