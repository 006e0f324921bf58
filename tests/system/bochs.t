#!/bin/bash
# The second machine: both images bare on Bochs, whose checks are stricter, and on Nestling there.
. "$(dirname "$0")/lib.sh"

export EMU=bochs
for image in pae long; do
	bare_passes "$image, bare" L1=$image
	image_passes "$image on Nestling" L1=$image
	image_passes "$image on Nestling, strict" L1=$image STRICT=1
done
done_testing
