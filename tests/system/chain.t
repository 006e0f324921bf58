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

image_passes "1 processor, with an IOMMU" CONFIG="$chained" QEMUFLAGS="-device amd-iommu"
grep -qaF "1 IOMMU: devices are kept out of Nestling's memory" "$log"
ok $? "it is Nestling's"
image_passes "4 processors, 5 GiB, strict" SMP=4 MEM=5G STRICT=1 CONFIG="$chained la57=off"
grep -qaF "4 processors, L1 by chain=" "$log"
ok $? "all four are Nestling's"
without "no SVM" "this processor has no SVM: use an AMD processor, or in a virtual machine turn nested virtualization on (QEMU: -cpu host or max)" \
	SMP=2 CPU=max,svm=off CONFIG="$chained cmdline=bare"
without "no nested paging" "npt=off out (QEMU: -cpu host or max has it)" CONFIG="$chained npt=off cmdline=bare"
truncate -s 8M "$dir/no-fat"
says_in_firmware "a file that is not there, a disk without FAT" \
	'cannot start chain=\EFI\none.efi: no volume that the firmware reads has it' \
	CONFIG='chain=\EFI\none.efi' QEMUFLAGS="-drive format=raw,file=$dir/no-fat"
says_in_firmware "no program" 'cannot start chain=\EFI\BOOT\nestling.cfg: it is no program for this firmware' \
	CONFIG='chain=\EFI\BOOT\nestling.cfg'
says_in_firmware "itself" 'cannot start chain=BOOTX64.EFI: no volume' CONFIG='chain=BOOTX64.EFI'
says_in_firmware "chain= and L1" 'chain= goes with neither l1=' CONFIG="$chained l1=pae.elf"
says "chain= without the EFI program" 'chain= and menu= are for the EFI program' BOOT=direct L0CMDLINE="$chained"

# volume NAME: $dir/NAME, a disk with one partition of 8 MiB and FAT on it, which $partition names to mtools;
# the program of the test is where firmware looks, and at its root.
volume() {
	partition=$dir/$1@@1M
	rm -f "${dir:?}/$1"
	truncate -s 9M "$dir/$1"
	{
		head -c 440 /dev/zero
		printf 'NEST\0\0\200\376\377\377\357\376\377\377\0\10\0\0\0\100\0\0'
		head -c 48 /dev/zero
		printf '\125\252'
	} | dd of="$dir/$1" conv=notrunc status=none
	mformat -i "$partition" -T 16384 -h 16 -s 63 :: && mmd -i "$partition" ::/EFI ::/EFI/BOOT &&
		mcopy -i "$partition" "$BUILD/release/chained.efi" ::/EFI/BOOT/BOOTX64.EFI &&
		mcopy -i "$partition" "$BUILD/release/chained.efi" ::/
}
volume second
image_passes "the next boot option, 2 processors, variables in SMM" SMP=2 SMM=1 CONFIG="chain=auto" \
	QEMUFLAGS="-drive format=raw,file=$dir/second"

# firmware NAME WORDS: $dir/first, whose program makes the machine such a one (boot/efi/chained/prepare.h),
# and then starts Nestling.
firmware() {
	volume first
	: >"$dir/$1"
	echo "$2" >"$dir/nestling.cfg"
	mcopy -i "$partition" "$dir/$1" "$BUILD/release/nestling.efi" ::/ &&
		mcopy -i "$partition" "$dir/nestling.cfg" ::/EFI/BOOT/
}
again="$chained cmdline=\"chained"
export STICK="$dir/first"
firmware spinning "$again\""
image_passes "firmware that parks its processors in a loop" SMP=4
grep -qaF "4 processors, L1 by chain=" "$log"
ok $? "all four are Nestling's"
firmware mwaiting "$again\""
image_passes "firmware that parks its processor by MWAIT" SMP=2
grep -qaF "2 processors, L1 by chain=" "$log"
ok $? "both are Nestling's"
firmware busy "$again busy bare\""
without "a processor that does not come" "the firmware's other processors do not come" SMP=2
firmware disabled "$again bare\""
without "a disabled processor" "enable it in the firmware's setup" SMP=2
firmware taken "$again bare\""
without "SVM is taken" "something below or in the firmware uses SVM already: turn it off there" SMP=2
firmware option "chain=auto menu=1"
image_passes "a boot option that begins at a partition, the menu's time runs out" SMP=2
grep -qaF 'w: without Nestling; f: back to the firmware. Return in 1 second' "$log"
ok $? "the menu is one line"
STICK=

cp "$BUILD/release/nestling.efi" "$BESIDE/"
image_passes "a second Nestling, 2 processors" SMP=2 CONFIG='chain=\nestling.efi cmdline="'"$chained"'"'
grep -qaF 'on Nestling: this is number 2 from the machine up' "$log"
ok $? "it is on the first"

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
