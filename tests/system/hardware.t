#!/bin/bash
# The images of docs/hardware-image.md on the machines at hand, which answer a part of what they ask:
# bare on both emulators, and on Nestling, where what L0 does for L2 has to answer as the processor.
. "$(dirname "$0")/lib.sh"

export BOOT=direct L1=hardware64
bare_passes "hardware64, bare"
grep -qa '^# cycles: VMRUN, until' "$log"
ok $? "hardware64, bare: there are figures in cycles"
image_passes "hardware64 on Nestling"
# A TLB that keeps what it knows is what L0 has to be, and no emulator is.
grep -qa '^# seen: D cleared without a flush does not come again' "$log"
ok $? "hardware64 on Nestling: what is cached stays so without a flush"

export L1=hardware32 CMDLINE='filter=hardware.*'
bare_passes "hardware32, bare"
image_passes "hardware32 on Nestling, strict" STRICT=1
bare_tap=
for image in hardware32 hardware64; do
	image_passes "$image on Nestling, npt=off" L1=$image L0CMDLINE=npt=off
done

# Bochs saves nRIP, filters PAUSE, and flushes by ASID.
export EMU=bochs BOOT=grub
image_passes "hardware64, bare Bochs" L1=hardware64 BARE=1
[ "$(tap_of "$log" | grep -c 'hardware\.length: .*-bit code: ')" -ge 400 ]
ok $? "hardware64, bare Bochs: nRIP of every instruction"
image_passes "hardware32 on Nestling, Bochs, strict" STRICT=1 CMDLINE='filter=hardware.l*'
done_testing
