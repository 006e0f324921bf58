#!/bin/bash
# Several processors: what INIT, SIPI and NMI do between them, and images that use one of them only.
. "$(dirname "$0")/lib.sh"

export MEM=128M

for bits in 32 64; do
	for cpus in 2 4; do
		export L1=startup$bits SMP=$cpus CMDLINE=cpus=$cpus BOOT=direct
		bare_passes "$bits bits, $cpus processors, bare"
		image_passes "$bits bits, $cpus processors"
		image_passes "$bits bits, $cpus processors, strict" STRICT=1
	done
done
image_passes "GRUB from UEFI" BOOT=grub-efi MEM=256M
image_passes "EFI program" BOOT=uefi MEM=256M

for l1 in pae long; do
	export L1=$l1 SMP=2 CMDLINE='' BOOT=direct
	bare_passes "$l1, bare"
	image_passes "$l1"
	image_passes "$l1, strict, 4-level" STRICT=1 CPU=max,la57=off
done
done_testing
