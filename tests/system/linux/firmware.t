#!/bin/bash
# What EFI left, as Debian's kernel for amd64 finds it: a screen, ACPI, runtime services. The variables that
# one boot writes the next ones read, bare and on Nestling.
. "$(dirname "$0")/runs.sh"

devices="-vga std"
kernel_words=$words

# boots N: how many have written a variable before.
boots() { words="$kernel_words BOOTS=$1"; }

export VARS="$dir/vars.fd"
boots 0
linux_bare "EFI, bare" amd64 firmware BARE=1 BOOT=grub-efi
boots 1
linux_runs "EFI program" amd64 firmware BOOT=uefi
boots 2
linux_runs "GRUB, strict, npt=off" amd64 firmware BOOT=grub-efi STRICT=1 L0CMDLINE=npt=off
VARS=
boots 0
linux_runs "EFI program, variables in SMM, 2 processors" amd64 firmware BOOT=uefi SMM=1 SMP=2
done_testing
