#!/bin/bash
# The images with 2-level nested tables (row R7). Bare QEMU does not walk those (L1 then runs its L2s
# by shadow tables of its own), so the truth is bare Bochs; Nestling walks them in software, on QEMU
# as well as on Bochs.
. "$(dirname "$0")/lib.sh"

# What the processors differ in is no matter here, nor what an emulator is known to do wrong; nor
# hardware task switches, which QEMU's images do not try (bochs.t does): points lose their numbers.
plain_tap() {
	tap_of "$1" | sed -E 's/ # (TODO (qemu|bochs): |SKIP the processor ).*//' |
		sed -E '/ - [a-z0-9]+\.task(_[a-z0-9]+)?: /d; /^1\.\./d; s/^((not )?ok) [0-9]+/\1/'
}

# as_bochs NAME VARIABLE=VALUE...: the image passes, and its points are those of bare Bochs.
as_bochs() {
	local bare_tap=
	image_passes "$@"
	plain_tap "$log" >"$log.tap"
	tap_same "$truth" "$log.tap"
	ok $? "$1: the same points as on bare Bochs"
	rm -f "$log.tap"
}

for image in pse nopse; do
	export L1=$image
	bare_passes "$image, bare Bochs" EMU=bochs
	truth=$LOGS/$prefix-$image.tap
	plain_tap "$log" >"$truth"

	bare_tap=
	image_passes "$image, bare QEMU" BARE=1
	tap_of "$log" | grep -q ' # SKIP qemu: 2-level nested tables are not walked'
	ok $? "$image, bare QEMU: says what it cannot do"

	for la57 in on off; do
		for strict in 0 1; do
			as_bochs "$image, la57=$la57, strict $strict" BOOT=direct STRICT=$strict \
				L0CMDLINE=la57=$la57
		done
	done
	as_bochs "$image, memory above 4 GiB" BOOT=direct MEM=5G
done
done_testing
