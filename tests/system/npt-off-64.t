#!/bin/bash
# npt=off under the 64-bit image: L0 shadows L1's own paging (row R6), and L1 that of its L2s
# (R14). The truth is a processor without nested paging; there L0 runs so by itself.
. "$(dirname "$0")/lib.sh"

for levels in 4 5; do
	shadowed "$levels levels" long "levels=$levels"
done
shadowed "4 levels, no LA57" long levels=4 la57=off
done_testing
