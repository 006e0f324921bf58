#!/bin/bash
# The 64-bit image on a processor with LA57, with 4-level (R11) and 5-level (R12) tables of its own.
. "$(dirname "$0")/lib.sh"

image_everywhere long max
bare_passes "levels=5, bare" CMDLINE=levels=5
image_passes "levels=5, direct" CMDLINE=levels=5 BOOT=direct
image_passes "levels=5, strict" CMDLINE=levels=5 BOOT=direct STRICT=1
image_passes "levels=5, EFI program" CMDLINE=levels=5 BOOT=uefi
done_testing
