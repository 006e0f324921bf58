#!/bin/bash
# L0 as a 32-bit program (rows R2 and R9, and R3 to R5 by it): the 32-bit images, by QEMU's -kernel and by
# GRUB, on processors with long mode and without, with nested paging and npt=off; and what it refuses.
. "$(dirname "$0")/lib.sh"

export BUILD=$BUILD/i386 L0ARCH=i386 CPU=max BOOT=direct
guest=${BUILD%/i386}/release/guest
image() { export L1=$guest/$1.elf; }

image pae
bare_passes "pae, bare" CPU=max,lm=off
image_passes "pae, lm=off, strict" CPU=max,lm=off STRICT=1
image_passes "pae, GRUB from BIOS" BOOT=grub
image_passes "pae, GRUB from UEFI" BOOT=grub-efi
bare_tap=
image_passes "pae, npt=off, strict" L0CMDLINE=npt=off STRICT=1
image_passes "pae, bare=on" L0CMDLINE=bare=on
image pse
image_passes "pse, strict" STRICT=1
image_passes "pse, npt=off, lm=off" CPU=max,lm=off L0CMDLINE=npt=off
image nopse
image_passes "nopse, lm=off" CPU=max,lm=off
image svm32
image_passes "svm32, strict" STRICT=1
image startup32
image_passes "startup32, 4 processors, strict" SMP=4 STRICT=1 CMDLINE=cpus=4
image smp32
image_passes "smp32, 2 processors" SMP=2 CMDLINE='edits=16 rounds=8'
image hostile32
image_passes "hostile32, strict" STRICT=1

# The second machine, but for what it gets wrong on any Nestling (bochs.t).
image pae
image_passes "pae, Bochs, strict" EMU=bochs CPU=ryzen BOOT=grub STRICT=1 CMDLINE='filter=pae.*'

# Nothing above 4 GiB is L1's or L0's.
image_passes "5 GiB" MEM=5G CMDLINE='filter=pae.*'
grep -qaF "3072 MiB above 4 GiB are left out: this Nestling is a 32-bit program" "$log"
ok $? "5 GiB: what is above is left out, and L0 says so"

says "no LA57" "32-bit code has no 5-level paging" L0CMDLINE=la57=on
says "a 64-bit ELF" "L1's file is a 64-bit program, and this Nestling is a 32-bit one" L1="$guest/64/long.debug"
image long
run "a 64-bit image"
grep -qaF '1..0 # SKIP no long mode' "$log"
ok $? "a 64-bit image that asks finds no long mode"
done_testing
