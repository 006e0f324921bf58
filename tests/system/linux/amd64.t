#!/bin/bash
# Debian's kernel for amd64, by every way to boot.
. "$(dirname "$0")/runs.sh"

linux_runs "bare" amd64 x86_64 BARE=1
linux_runs "direct" amd64 x86_64 BOOT=direct
linux_runs "strict, 4-level" amd64 x86_64 BOOT=direct STRICT=1 CPU=max,la57=off
linux_runs "no nested paging" amd64 x86_64 BOOT=direct CPU=max,npt=off
linux_runs "strict, npt=off" amd64 x86_64 BOOT=direct STRICT=1 L0CMDLINE=npt=off
linux_runs "GRUB from UEFI" amd64 x86_64 BOOT=grub-efi
linux_runs "EFI program" amd64 x86_64 BOOT=uefi
linux_runs "2 processors, bare" amd64 x86_64 BARE=1 SMP=2
linux_runs "2 processors" amd64 x86_64 BOOT=direct SMP=2
linux_runs "2 processors, strict" amd64 x86_64 BOOT=direct SMP=2 STRICT=1
linux_runs "2 processors, no nested paging" amd64 x86_64 BOOT=direct SMP=2 CPU=max,npt=off
linux_runs "4 processors, GRUB from UEFI" amd64 x86_64 BOOT=grub-efi SMP=4
done_testing
