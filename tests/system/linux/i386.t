#!/bin/bash
# Debian's kernel for i386 with PAE, by every way to boot.
. "$(dirname "$0")/runs.sh"

linux_runs "bare" i386 i686 BARE=1
linux_runs "direct" i386 i686 BOOT=direct
linux_runs "strict, 4-level" i386 i686 BOOT=direct STRICT=1 CPU=max,la57=off
linux_runs "no nested paging" i386 i686 BOOT=direct CPU=max,npt=off
linux_runs "strict, npt=off" i386 i686 BOOT=direct STRICT=1 L0CMDLINE=npt=off
linux_runs "GRUB from BIOS" i386 i686 BOOT=grub
linux_runs "EFI program" i386 i686 BOOT=uefi
linux_runs "2 processors, bare" i386 i686 BARE=1 SMP=2
linux_runs "2 processors" i386 i686 BOOT=direct SMP=2
linux_runs "2 processors, strict" i386 i686 BOOT=direct SMP=2 STRICT=1
linux_runs "2 processors, no nested paging" i386 i686 BOOT=direct SMP=2 CPU=max,npt=off
linux_runs "4 processors, GRUB from UEFI" i386 i686 BOOT=grub-efi SMP=4
done_testing
