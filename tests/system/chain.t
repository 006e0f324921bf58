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
done_testing
