#!/bin/bash
# Debian's kernel for i386 with PAE, by every way to boot.
. "$(dirname "$0")/runs.sh"

linux_bare "bare" i386 $every_part BARE=1 SMP=2
linux_runs "2 processors" i386 $every_part BOOT=direct SMP=2
linux_runs "2 processors, strict, 4-level" i386 $every_part BOOT=direct STRICT=1 CPU=max,la57=off SMP=2
some=processors,clock,disk
linux_bare "bare, some parts" i386 $some BARE=1 SMP=2
linux_runs "2 processors, GRUB from BIOS" i386 $some BOOT=grub SMP=2
linux_runs "2 processors, no nested paging" i386 $some BOOT=direct CPU=max,npt=off SMP=2
some=load,network
# OVMF puts the registers of virtio's modern interface at e000000000h, where this kernel does not find
# them in QEMU, bare neither: the legacy ones are low.
devices=${devices//-pci,/-pci,disable-modern=on,}
linux_bare "1 processor, bare" i386 $some BARE=1
linux_runs "EFI program" i386 $some BOOT=uefi
linux_runs "strict, npt=off" i386 $some BOOT=direct STRICT=1 L0CMDLINE=npt=off
linux_bare "4 processors, bare" i386 processors BARE=1 SMP=4
linux_runs "4 processors, GRUB from UEFI" i386 processors BOOT=grub-efi SMP=4
linux_bare "KVM, bare" i386 kvm BARE=1
linux_runs "KVM" i386 kvm BOOT=direct
bare_tap= # there are no counters
linux_runs "nestling-stat" i386 stat BOOT=direct SMP=2
done_testing
