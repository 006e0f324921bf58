#!/bin/bash
# The 64-bit image under a 4-level L0 (R10): without LA57 in the processor, and with it turned off.
. "$(dirname "$0")/lib.sh"

image_everywhere long max,la57=off
image_passes "la57=off, strict" BOOT=direct STRICT=1 CPU=max L0CMDLINE=la57=off
done_testing
