#!/bin/bash
# What EFI left, as Debian's kernel for amd64 finds it: ACPI, runtime services, a screen. The variables that
# one boot writes the next one reads, bare and on Nestling.
. "$(dirname "$0")/runs.sh"

kernel_words=$words

# boots N: how many have written a variable before. The firmware forgets the boot entry of a medium that
# is not there, so all boots of one store are from the same.
boots() { words="$kernel_words BOOTS=$1"; }

devices=
export VARS="$dir/vars.fd"
boots 0
linux_bare "EFI, bare" amd64 firmware BARE=1 BOOT=grub-efi
boots 1
linux_runs "GRUB" amd64 firmware BOOT=grub-efi
boots 2
linux_runs "GRUB, npt=off" amd64 firmware BOOT=grub-efi L0CMDLINE=npt=off
VARS=
boots 0
bare_tap=
devices="-vga std"
linux_runs "EFI program, variables in SMM, 2 processors" amd64 firmware,screen BOOT=uefi SMM=1 SMP=2 SCREEN=1
done_testing
