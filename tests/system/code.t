#!/bin/bash
# Where L1's code may run from: QEMU tells no length of an instruction that exits, so L0 has to read it.
# It does where firmware keeps memory for itself, and not from a device, where reading is an act: #UD then.
. "$(dirname "$0")/lib.sh"

temporary_dir
export MEM=128M BOOT=direct

# Writes CPUID and RET to each place, calls it, and prints its letter, or ! behind a #UD.
tiny_image code 0x100000 "
		lgdt	[gdt_at]
		jmp	8:.flat
	.flat:	mov	esp, 0x90000
		mov	eax, undefined
		mov	[idt + 6 * 8], ax
		shr	eax, 16
		mov	[idt + 6 * 8 + 6], ax
		lidt	[idt_at]
		$find_vga
		mov	[screen], eax
		mov	esi, places
		cld
	.next:	lodsd
		mov	edi, eax
		mov	dword [edi], 0x00c3a20f
		cmp	dword [edi], 0x00c3a20f	; or nothing is there
		jne	.end
		xor	eax, eax
		call	edi
		cmp	eax, 0x80000000		; CPUID's highest leaf, or what undefined leaves
		lodsb
		jb	.print
		mov	al, '!'
	.print:	call	print
		cmp	esi, places_end
		jb	.next
	.end:	mov	al, 10
		call	print
		mov	al, 0
		out	0xf4, al
	print:	mov	dx, 0x3f8
		out	dx, al
		ret
	undefined:
		add	esp, 12			; RIP, CS and RFLAGS: back to who called the place
		mov	eax, -1
		ret
	places:	dd	0x9f400			; the page that base memory ends in
		db	'p'
		dd	0x9fd00			; firmware's part of it
		db	'e'
		dd	0x7ff8000		; what it keeps at the top of memory
		db	'k'
	screen:	dd	0
		db	's'
		dd	0x7ff8800		; and what comes behind a #UD is as before
		db	'k'
	places_end:
		align	8
	gdt:	dq	0, 0x00cf9b000000ffff
	gdt_at:	dw	15
		dd	gdt
	idt:	times	6 dq 0
		dw	0, 8, 0x8e00, 0
	idt_at:	dw	7 * 8 - 1
		dd	idt"

# runs NAME LETTERS VARIABLE=VALUE...
runs() {
	run "$1" L1="$dir/code.elf" "${@:3}"
	ok "$status" "$1: L1 comes to its end"
	[ "$(sed 's/nestling: .*//' "$log" | tr -d '\r\n')" = "$2" ] # L0 may speak in between
	ok $? "$1: code runs where firmware keeps memory$([ "${2#*!}" = "$2" ] || echo ", and not in a device's")"
}
runs bare peksk BARE=1
for words in npt=on npt=off; do
	runs "$words" 'pek!k' L0CMDLINE=$words
	[ "$(grep -acE 'an instruction at rip f[0-9a-f]{7} that exits as 72 runs from no memory .*: #UD' "$log")" = 1 ]
	ok $? "$words: L0 says once where it cannot read"
done
runs "strict" 'pek!k' STRICT=1
done_testing
