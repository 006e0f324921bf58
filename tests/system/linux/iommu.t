#!/bin/bash
# Debian's kernel for amd64 on a machine with an IOMMU, which is Nestling's: disks and networks do what they
# do bare, and the kernel finds none. Virtio's devices are told to go through it.
. "$(dirname "$0")/runs.sh"

devices=${devices//virtio-blk-pci,/virtio-blk-pci,iommu_platform=on,disable-legacy=on,}
devices=${devices//virtio-net-pci,/virtio-net-pci,iommu_platform=on,disable-legacy=on,}
devices+=" -machine q35 -device amd-iommu"
words=${words/ quiet/ loglevel=7}
some=disk,network,load

linux_bare "bare" amd64 $some BARE=1 SMP=2
grep -qa "AMD-Vi: Found IOMMU" "$log"
ok $? "bare: the kernel has found the IOMMU"
linux_runs "2 processors" amd64 $some BOOT=direct SMP=2
grep -qa "IOMMU: devices are kept out" "$log" && ! grep -qa "AMD-Vi: Found IOMMU" "$log"
ok $? "2 processors: Nestling has it, and the kernel finds none"
linux_runs "strict, npt=off, EFI program" amd64 $some BOOT=uefi STRICT=1 SMP=2 L0CMDLINE=npt=off
grep -qa "IOMMU: devices are kept out" "$log" && ! grep -qa "AMD-Vi: Found IOMMU" "$log"
ok $? "strict, npt=off, EFI program: Nestling has it, and the kernel finds none"
done_testing
