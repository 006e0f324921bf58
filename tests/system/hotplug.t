#!/bin/bash
# Memory that was plugged in, which no firmware's map has but ACPI's SRAT, is memory as any other: a
# small 64-bit hypervisor made here keeps all that is its in there (VMCB, nested tables, L2's code),
# runs its L2, edits a nested table and runs it again.
. "$(dirname "$0")/lib.sh"

temporary_dir
tiny_image hot 0x200000 "
	HOT	equ 0x100000000		; where QEMU plugs the first module in
	VMCB	equ HOT
	TABLES	equ HOT + 0x1000	; four levels of NPT12
	HALTS	equ HOT + 0x5000	; L2's code: HLT
	CALLS	equ HOT + 0x6000	; VMMCALL
	HSAVE	equ HOT + 0x7000
	mov	edi, 0x300000		; page tables: 512 GiB one to one by 1 GiB
	mov	cr3, edi
	mov	ecx, 0x800
	xor	eax, eax
	cld
	rep stosd
	mov	dword [0x300000], 0x301003
	mov	edi, 0x301000
	mov	eax, 0x83
	xor	edx, edx
.map:	mov	[edi], eax
	mov	[edi + 4], edx
	add	eax, 0x40000000
	adc	edx, 0
	add	edi, 8
	cmp	edi, 0x302000
	jb	.map
	mov	eax, 0x20
	mov	cr4, eax
	mov	ecx, 0xc0000080
	mov	eax, 0x1100		; LME, SVME
	xor	edx, edx
	wrmsr
	mov	eax, 0x80000011
	mov	cr0, eax
	lgdt	[gdtr]
	jmp	8:.long
	bits	64
.long:	mov	esp, 0x200000
	mov	rdi, HOT
	mov	ecx, 0x8000 / 8
	xor	eax, eax
	rep stosq
	mov	ecx, 0xc0010117
	mov	rax, HSAVE
	mov	rdx, rax
	shr	rdx, 32
	wrmsr
	mov	rdi, TABLES
	mov	ecx, 3
.table:	lea	rax, [rdi + 0x1007]
	mov	[rdi], rax
	add	rdi, 0x1000
	loop	.table
	mov	rax, HALTS + 7
	mov	[rdi], rax		; ngpa 0
	mov	rbx, HALTS
	mov	byte [rbx], 0xf4
	mov	rbx, CALLS
	mov	dword [rbx], 0xf4d9010f
	mov	rbx, VMCB
	mov	dword [rbx + 0xc], 1 << 24	; HLT
	mov	dword [rbx + 0x10], 3		; VMRUN, VMMCALL
	mov	dword [rbx + 0x58], 1		; ASID
	mov	dword [rbx + 0x90], 1		; nested paging
	mov	rax, TABLES
	mov	[rbx + 0xb0], rax
	mov	word [rbx + 0x412], 0x9b	; CS
	mov	dword [rbx + 0x414], 0xffff
	mov	dword [rbx + 0x4d0], 0x1000	; EFER: SVME
	mov	dword [rbx + 0x558], 0x10	; CR0: ET
	mov	dword [rbx + 0x560], 0x400	; DR7
	mov	dword [rbx + 0x568], 0xffff0ff0	; DR6
	mov	dword [rbx + 0x570], 2		; RFLAGS
	mov	rax, 0x0007040600070406
	mov	[rbx + 0x668], rax		; PAT
	mov	rax, rbx
	vmrun
	mov	r8, [rbx + 0x70]
	mov	rdx, CALLS + 7			; another page
	mov	rdi, TABLES + 0x3000
	mov	[rdi], rdx
	mov	qword [rbx + 0x578], 0		; RIP
	mov	byte [rbx + 0x5c], 1		; flush
	vmrun
	mov	r9, [rbx + 0x70]
	mov	dx, 0x3f8
	mov	al, r8b
	call	hex
	mov	al, r9b
	call	hex
	mov	al, 10
	out	dx, al
	mov	al, 0
	out	0xf4, al
hex:	mov	ah, al
	shr	al, 4
	call	.digit
	mov	al, ah
	and	al, 15
.digit:	add	al, '0'
	cmp	al, '9'
	jbe	.put
	add	al, 'a' - '0' - 10
.put:	out	dx, al
	ret
	align	8
gdt:	dq	0, 0x00209b0000000000
gdtr:	dw	15
	dd	gdt"

# exits NAME VARIABLE=VALUE...: #VMEXIT by HLT at first, by VMMCALL after the edit.
exits() {
	run "$@" L1="$dir/hot.elf" MEM=128M \
		QEMUFLAGS="-m 128M,slots=2,maxmem=1G -object memory-backend-ram,id=hot,size=128M -device pc-dimm,memdev=hot"
	ok "$status" "$1: the image ends"
	tr -d '\r' <"$log" | grep -qaw 7881
	ok $? "$1: both runs end as they must"
}

exits bare BARE=1
exits direct BOOT=direct
exits "GRUB from BIOS" BOOT=grub
exits "EFI program" BOOT=uefi
exits strict BOOT=direct STRICT=1
exits "4-level" BOOT=direct L0CMDLINE=la57=off SMP=2
done_testing
