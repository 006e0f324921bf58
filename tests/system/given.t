#!/bin/bash
# What the firmware and the boot loader gave, L1 gets: GRUB's information beside Nestling's, by an image
# that tells what it finds (given.c), and modules by every way to boot.
. "$(dirname "$0")/lib.sh"

temporary_dir
given2=$BUILD/release/given2.elf

# told [PATTERN]: the lines of the last run, in an order of their own; those that match are left out.
told() {
	tr -d '\r' <"$log" | sed -n '/^given by/,/^given: the end/p' | grep -vE "${1:-^$}" | sort
}

# gives NAME EXPECTED VARIABLE=VALUE...: the image runs to its end, and tells the lines of a file.
gives() {
	local name=$1 expected=$2
	shift 2
	run "$name" "$@"
	ok "$status" "$name: L1 runs"
	told "$skip" >"$dir/told"
	diff "$expected" "$dir/told" | sed 's/^/# /'
	cmp -s "$expected" "$dir/told"
	ok $? "$name: L1 is given the same"
}

# Twelve modules, of which two are the same file; one has words with a comma.
for i in $(seq 11); do
	head -c $((i * 1001)) /dev/urandom >"$dir/m$i"
done
modules=$dir/m1
for i in $(seq 2 11); do
	modules+=",$dir/m$i w$i x=$i,,y"
done
modules+=",$dir/m1 again"
export MODULES=$modules MEM=128M CMDLINE="a b=c"

# The same modules and line, by each protocol and each way; the bare machine's first. The screen is GRUB's.
for version in 1 2; do
	L1=$BUILD/release/given$version.elf
	export L1
	run "multiboot$version, GRUB, bare" BARE=1 BOOT=grub SCREEN=800x600x24
	ok "$status" "multiboot$version, GRUB, bare: L1 runs"
	skip='^(efi|acpi|smbios)'
	told "$skip" >"$dir/grub$version"
	grep -q '^screen: 800x600, 24 bits' "$dir/grub$version"
	ok $? "multiboot$version, GRUB, bare: there is a screen"
	gives "multiboot$version, GRUB" "$dir/grub$version" BOOT=grub SCREEN=800x600x24
	skip='^(efi|acpi|smbios|screen|colors)'
	grep -vE "$skip" "$dir/grub$version" >"$dir/modules$version"
	[ "$(grep -c '^module: m' "$dir/modules$version")" = 12 ]
	ok $? "multiboot$version, GRUB, bare: there are 12 modules"
	gives "multiboot$version, direct" "$dir/modules$version" BOOT=direct
	gives "multiboot$version, EFI program" "$dir/modules$version" BOOT=uefi
done
grep -qx "module: m3 w3 x=3,y: 3003 bytes, sum [0-9a-f]*" "$dir/modules1"
ok $? "a module's line is what was asked for"

# Half of them as initrds: the same to a multiboot L1, without words.
run "initrds and modules" BOOT=uefi INITRD="$dir/m2,$dir/m3" MODULES="$dir/m1 one"
ok "$status" "initrds and modules: L1 runs"
[ "$(told | sed -n 's/^module: \(.*\): [0-9]* bytes.*/\1/p' | tr '\n' ,)" = "m1 one,m2,m3," ]
ok $? "initrds and modules: the words are the module's alone"

# What EFI left. GRUB itself has no SMBIOS tag to give.
export MODULES='' L1=$given2
skip='^(smbios|screen|colors)'
run "EFI, GRUB, bare" BARE=1 BOOT=grub-efi
ok "$status" "EFI, GRUB, bare: L1 runs"
told "$skip" >"$dir/efi"
[ "$(grep -cE '^(efi64: good|efi map: .*good|acpi old: good|acpi new: good)' "$dir/efi")" = 4 ]
ok $? "EFI, GRUB, bare: there are EFI's table and map, and ACPI"
[ "$(grep -c '^efi code runs there: good' "$dir/efi")" = "$(grep -c '^efi runtime: ' "$dir/efi")" ]
ok $? "EFI, GRUB, bare: code runs in the memory of EFI's runtime services"
gives "EFI, GRUB" "$dir/efi" BOOT=grub-efi
told | grep -q '^smbios: 2.8, good'
ok $? "EFI, GRUB: SMBIOS is there"
gives "EFI program" "$dir/efi" BOOT=uefi
told | grep -q '^smbios: 2.8, good'
ok $? "EFI program: SMBIOS is there"
done_testing
