#!/bin/bash
# The EFI program's words, as editors and firmware write them: marks, UTF-16, the ends of lines of
# other systems, letters beyond ASCII in names; and what cannot be taken is named.
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=uefi L1="$dir/tells.elf" MEM=128M

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

# tells NAME LINE VARIABLE=VALUE...: L1 runs, and LINE is its command line.
tells() {
	local name=$1 line=$2
	shift 2
	run "$name" "$@"
	ok "$status" "$name: L1 runs"
	tr -d '\r' <"$log" | grep -qaxF -- "$line"
	ok $? "$name: its command line is \"$line\""
}

printf '\xef\xbb\xbf# one\r\nl1=tells.elf\r\ncmdline="a b"\r\nla57=off\r\n\x1a' >"$dir/utf8.cfg"
printf 'l1=tells.elf cmdline="größe b"\n' >"$dir/plain.cfg"
{
	printf '\xff\xfe'
	iconv -f UTF-8 -t UTF-16LE "$dir/plain.cfg"
	printf '\x1a\0'
} >"$dir/utf16.cfg"
{
	printf '\xfe\xff'
	iconv -f UTF-8 -t UTF-16BE "$dir/plain.cfg"
} >"$dir/utf16be.cfg"
tells "UTF-8 with a mark" "tells.elf a b" CONFIG_FILE="$dir/utf8.cfg"
tells "UTF-16" "tells.elf größe b" CONFIG_FILE="$dir/utf16.cfg"
tells "UTF-16, high byte first" "tells.elf größe b" CONFIG_FILE="$dir/utf16be.cfg"

# A name that no 8-bit character set of FAT has, so that the volume has it in UTF-16.
mkdir -p "$dir/beside/EFI/BOOT/größe-日本"
cp "$dir/tells.elf" "$dir/beside/EFI/BOOT/größe-日本/ö日.elf"
tells "names" "größe-日本/ö日.elf x" BESIDE="$dir/beside" CONFIG='l1=größe-日本/ö日.elf cmdline=x'

iconv -f UTF-8 -t ISO-8859-1 "$dir/plain.cfg" >"$dir/latin1.cfg"
says_in_firmware "Latin-1" 'character 25 of \EFI\BOOT\nestling.cfg is no UTF-8: save it as' \
	CONFIG_FILE="$dir/latin1.cfg"
# OVMF's serial console has ASCII only.
says_in_firmware "a name that is not there" 'cannot read the file of l1=gr??e.elf: there is no such file' \
	CONFIG='l1=größe.elf'

# The firmware's shell starts the program with load options, from a directory of such a name.
rm -r "$dir/beside/EFI"
mkdir "$dir/beside/größe-日本"
cp "$BUILD/release/nestling.efi" "$dir/beside/größe-日本/"
{
	printf '\xff\xfe'
	printf '%s\r\n' 'fs0:' '\größe-日本\nestling.efi l1=../EFI/BOOT/tells.elf cmdline="ä ö" npt=off' |
		iconv -f UTF-8 -t UTF-16LE
} >"$dir/beside/startup.nsh"
tells "load options" "../EFI/BOOT/tells.elf ä ö" BESIDE="$dir/beside" CONFIG=
grep -qa 'no nested paging' "$log"
ok $? "load options: L0 heeds its word"
done_testing
