#!/bin/bash
# Debian's kernel for amd64, by every way to boot.
. "$(dirname "$0")/runs.sh"

linux_bare "bare" amd64 $every_part BARE=1 SMP=2
linux_runs "2 processors" amd64 $every_part BOOT=direct SMP=2
linux_runs "2 processors, EFI program" amd64 $every_part BOOT=uefi SMP=2
some=processors,network,memory
linux_bare "bare, some parts" amd64 $some BARE=1 SMP=2
linux_runs "2 processors, strict, npt=off" amd64 $some BOOT=direct STRICT=1 L0CMDLINE=npt=off SMP=2
some=disk,load,kvm
linux_bare "1 processor, bare" amd64 $some BARE=1
linux_runs "GRUB from BIOS" amd64 $some BOOT=grub
linux_runs "strict, 4-level" amd64 $some BOOT=direct STRICT=1 CPU=max,la57=off
linux_runs "no nested paging" amd64 $some BOOT=direct CPU=max,npt=off
linux_bare "4 processors, bare" amd64 processors BARE=1 SMP=4
linux_runs "4 processors, GRUB from UEFI" amd64 processors BOOT=grub-efi SMP=4
linux_bare "16 processors, bare" amd64 processors BARE=1 SMP=16
linux_runs "16 processors" amd64 processors BOOT=direct SMP=16
bare_tap= # there are no counters
linux_runs "nestling-stat" amd64 stat BOOT=direct SMP=2
done_testing
