#!/bin/bash
# The PAE image on a processor with LA57: rows R1 and R8 with a 5-level L0.
. "$(dirname "$0")/lib.sh"

image_everywhere pae max
done_testing
