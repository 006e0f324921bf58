#!/bin/bash
# Nestling as L1 of Nestling: every image two deep, some three deep, a Linux with KVM, and what it costs.
. "$(dirname "$0")/nested.sh"

for image in $all_images; do
	nested 2 "$image"
done
nested 2 pae BOOT=uefi
nested 2 svm64 L0CMDLINE=npt=off
nested 2 long INNERCMDLINE=npt=off
for image in pae svm64 smp64; do
	nested 3 "$image"
done
linux_bare "Linux with its KVM, bare" amd64 processors,kvm BARE=1
nested_linux 2
bare_tap=
costs 2 tests/bench/nested
done_testing
