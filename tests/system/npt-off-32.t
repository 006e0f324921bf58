#!/bin/bash
# npt=off under the 32-bit images: L0 shadows L1's own paging (rows R3 to R5), and L1 that of its L2s
# (R14). The truth is a processor without nested paging; there L0 runs so by itself.
. "$(dirname "$0")/lib.sh"

for image in pae pse nopse; do
	shadowed $image $image
	image_passes "$image, no NPT, strict" CPU=max,npt=off STRICT=1
done
done_testing
