#!/bin/bash
# npt=off under the 64-bit image: L0 shadows L1's own paging (row R6), and L1 that of its L2s
# (R14). The truth is a processor without nested paging; there L0 runs so by itself.
. "$(dirname "$0")/lib.sh"

shadowed "5 levels" long levels=5
shadowed "4 levels" long levels=4
image_passes "4 levels, no NPT, strict" CPU=max,npt=off STRICT=1
bare_passes "no LA57, bare" CPU=max,la57=off,npt=off
image_passes "no LA57, small pool, strict" CPU=max,la57=off L0CMDLINE="npt=off pool=1M" STRICT=1
done_testing
