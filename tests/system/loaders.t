#!/bin/bash
# Boot loaders that give no program's name, or an unknown one: none of L0's and L1's words is lost.
# A tiny multiboot1 loader made here stands for them: its first module is Nestling.
. "$(dirname "$0")/lib.sh"

temporary_dir

# loader NAME L0WORDS L1WORDS: $dir/loader.elf, which says that it is NAME.
loader() {
	tiny_image loader 0x400000 "
		mov	esi, [ebx + 24]		; the modules
		mov	ecx, [ebx + 20]
		dec	ecx			; the first one is for us
		mov	[ebx + 20], ecx
		lea	eax, [esi + 16]
		mov	[ebx + 24], eax
		mov	dword [eax + 8], l1_words
		mov	dword [ebx + 16], l0_words
		mov	dword [ebx + 64], name
		$move_nestling
		mov	eax, 0x2badb002
		jmp	dword [esi + 28]
	name:	db	'$1', 0
	l0_words: db	'$2', 0
	l1_words: db	'$3', 0"
}

# Prints its command line on COM1 and ends with success.
tiny_image tells 0x500000 "
		mov	esi, [ebx + 16]
	.next:	mov	dx, 0x3fd
	.wait:	in	al, dx
		test	al, 0x20
		jz	.wait
		mov	dx, 0x3f8
		lodsb
		test	al, al
		jz	.end
		out	dx, al
		jmp	.next
	.end:	mov	al, 10
		out	dx, al
		mov	al, 0
		out	0xf4, al"

# loaded NAME L0WORDS L1WORDS LINE: L0 obeys npt=off, and LINE is what L1 reads.
loaded() {
	loader "$1" "$2" "$3"
	run "$1, $2" BARE=1 L1="$dir/loader.elf" MEM=64M \
		QEMUFLAGS="-initrd $BUILD/release/nestling.bin,$dir/tells.elf"
	ok "$status" "$1: L1 runs"
	grep -qa 'nestling: .*, no nested paging' "$log"
	ok $? "$1: L0 heeds its words \"$2\""
	tr -d '\r' <"$log" | grep -qaxF -- "$4"
	ok $? "$1: L1 reads \"$4\""
}

loaded "Limine 9.2.3" "npt=off la57=off" "a=b c" "l1 a=b c"
loaded "Limine 9.2.3" "nestling npt=off" "tells a=b" "tells a=b"
loaded "boot" "npt=off la57=off" "a=b c" "l1 a=b c"
loaded "boot" "/boot/nestling.bin npt=off" "tells a=b" "tells a=b"
done_testing
