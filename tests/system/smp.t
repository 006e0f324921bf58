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

export L1=startup64 SMP=4 EMU=bochs CPU=ryzen BOOT=grub
bare_passes "4 processors on Bochs, bare"
image_passes "4 processors on Bochs, strict" STRICT=1
unset EMU CPU

export L1=long SMP=2 CMDLINE='' BOOT=direct
bare_passes "one of two processors, bare"
image_passes "one of two processors"
image_passes "one of two processors, strict" STRICT=1

# Nestling as L1: its processors run L2s at the same time, and start as L1's do.
export SMP=2 MEM=512M L1=$BUILD/release/nestling.bin CMDLINE='' bare_tap=
for bits in 32 64; do
	image_passes "Nestling in Nestling, $bits bits" INITRD="$BUILD/release/guest/startup$bits.elf"
done
image_passes "Nestling in Nestling, strict" STRICT=1 INITRD="$BUILD/release/guest/startup32.elf"
done_testing
