#!/bin/bash
# Nestling on Nestling at length: every image three deep; without nested paging below, above or in both; release
# builds; all processors' images with more processors.
. "$(dirname "$0")/../nested.sh"

for image in $all_images; do
	nested 3 "$image"
	nested 2 "$image" L0CMDLINE=npt=off
	nested 2 "$image" INNERCMDLINE=npt=off
	nested 2 "$image" L0CMDLINE=npt=off INNERCMDLINE=npt=off
	nested 2 "$image" STRICT=0
	nested 2 "$image" CPU=max,la57=off
done
for image in startup32 startup64 smp32 smp64; do
	for depth in 2 3; do
		nested "$depth" "$image" SMP=2 CMDLINE=
		nested "$depth" "$image" SMP=4
	done
done
linux_bare "Linux with its KVM, bare" amd64 processors,kvm BARE=1
for depth in 2 3; do
	nested_linux "$depth"
	nested_linux "$depth" STRICT=0
done
nested_linux 2 L0CMDLINE=npt=off
nested_linux 2 INNERCMDLINE=npt=off
done_testing
