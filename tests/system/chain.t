#!/bin/bash
# chain=: Nestling goes below UEFI's firmware while boot services live, and what is started then, all
# of the firmware and each processor of it, is L1. Where it cannot, one line says why, and the same
# is started without it.
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=uefi BESIDE=$dir/volume
mkdir "$BESIDE"
cp "$BUILD/release/chained.efi" "$BESIDE/"
chained='chain=\chained.efi'

# without NAME TEXT VARIABLE=VALUE...: one line with the text, and the program runs on the bare machine.
without() {
	local text=$2
	image_passes "$1" "${@:3}"
	[ "$(tr -d '\r' <"$log" | grep -acF 'nestling: error: ')" = 1 ] && grep -qaF -- "$text; going on without Nestling" "$log"
	ok $? "$1: one line says \"$text\""
}

image_passes "1 processor" CONFIG="$chained"
image_passes "4 processors, strict" SMP=4 STRICT=1 CONFIG="$chained la57=off"
grep -qaF "4 processors, L1 by chain=" "$log"
ok $? "all four are Nestling's"
without "no SVM" "this processor has no SVM: use an AMD processor, or in a virtual machine turn nested virtualization on (QEMU: -cpu host or max)" \
	SMP=2 CPU=max,svm=off CONFIG="$chained cmdline=bare"
without "no nested paging" "npt=off out (QEMU: -cpu host or max has it)" CONFIG="$chained npt=off cmdline=bare"
says_in_firmware "a file that is not there" 'cannot start chain=\EFI\none.efi: no volume that the firmware reads has it' \
	CONFIG='chain=\EFI\none.efi'
says_in_firmware "no program" 'cannot start chain=\EFI\BOOT\nestling.cfg: it is no program for this firmware' \
	CONFIG='chain=\EFI\BOOT\nestling.cfg'
says_in_firmware "itself" 'cannot start chain=BOOTX64.EFI: no volume' CONFIG='chain=BOOTX64.EFI'
says_in_firmware "chain= and L1" 'chain= goes with neither l1=' CONFIG="$chained l1=pae.elf"
says "chain= without the EFI program" 'limit= and chain= are for the EFI program' BOOT=direct L0CMDLINE="$chained"

# volume NAME PROGRAM: $dir/NAME, a FAT volume with what is in $dir/NAME.d, and the program where firmware looks.
volume() {
	truncate -s 8M "$dir/$1"
	mformat -i "$dir/$1" -T 16384 -h 16 -s 63 :: && mmd -i "$dir/$1" ::/EFI ::/EFI/BOOT &&
		mcopy -i "$dir/$1" "$2" ::/EFI/BOOT/BOOTX64.EFI && mcopy -i "$dir/$1" "$dir/$1.d"/* ::/
}
mkdir "$dir/second.d" "$dir/first.d"
cp "$BUILD/release/chained.efi" "$dir/second.d/"
volume second "$BUILD/release/chained.efi"
image_passes "the next boot option, 2 processors" SMP=2 CONFIG="chain=auto" \
	QEMUFLAGS="-drive format=raw,file=$dir/second"

# A program that the firmware starts first disables a processor.
cp "$BUILD/release/chained.efi" "$dir/first.d/"
touch "$dir/first.d/disable"
volume first "$BUILD/release/chained.efi"
echo "$chained cmdline=bare" >"$dir/second.d/nestling.cfg"
volume second "$BUILD/release/nestling.efi"
mcopy -i "$dir/second" "$dir/second.d/nestling.cfg" ::/EFI/BOOT/
without "a disabled processor" "enable it in the firmware's setup" SMP=2 STICK="$dir/first" \
	QEMUFLAGS="-drive format=raw,file=$dir/second"

# The firmware's own boot manager comes, which is L1 now; it waits for a key.
new_log menu
LOG=$log TIMEOUT=$RUN_TIMEOUT CONFIG=chain=menu SMP=2 tests/run </dev/null >/dev/null 2>"$log.runner" &
runner=$!
while kill -0 "$runner" 2>/dev/null && ! grep -qaF 'Boot Manager' "$log"; do
	sleep 0.2
done
grep -qaF 'Boot Manager' <(sed -n '/this machine runs on Nestling now/,$p' "$log")
ok $? "chain=menu: the firmware's menu comes, with Nestling below"
kill "$runner" 2>/dev/null
wait "$runner" 2>/dev/null
done_testing
