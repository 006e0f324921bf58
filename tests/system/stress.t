#!/bin/bash
# An L1 that asks for more than Nestling can shadow at once, and for what is not there: with the
# smallest pool and the default one, under 4- and 5-level paging, checked by itself and not.
. "$(dirname "$0")/lib.sh"

few=rounds=1024
# Half of the usual memory is twice as quick; the default pool halves with it.
export MEM=128M

# Bits that QEMU does not check and what it says of the others are one point each, bare and nested.
without_todo() {
	sed -E 's/ # TODO qemu: .*//' "$1"
}

# as_bare NAME VARIABLE=VALUE...: the image passes, and its points are those of the bare machine.
as_bare() {
	local bare_tap=
	image_passes "$@"
	tap_of "$log" >"$log.tap"
	without_todo "$log.tap" >"$log.plain"
	tap_same "$truth" "$log.plain"
	ok $? "$1: the same points as on the bare machine"
	rm -f "$log.tap" "$log.plain"
}

for bits in 32 64; do
	export L1=stress$bits BOOT=direct
	bare_passes "$bits bits, bare" CMDLINE=$few
	truth=$LOGS/$prefix-$bits.tap
	without_todo "$bare_tap" >"$truth"
	for pool in "" pool=1M; do
		for la57 in on off; do
			for strict in 0 1; do
				as_bare "$bits bits, $pool la57=$la57, strict $strict" CMDLINE=$few \
					STRICT=$strict L0CMDLINE="$pool la57=$la57"
			done
		done
	done
	as_bare "$bits bits, all rounds" MEM=256M
	bare_passes "$bits bits, bare, no nested paging" CMDLINE=$few CPU=max,npt=off
	truth=$bare_tap
	as_bare "$bits bits, no nested paging" CMDLINE=$few CPU=max,npt=off
	as_bare "$bits bits, no nested paging, pool=1M" CMDLINE=$few STRICT=1 \
		L0CMDLINE="pool=1M npt=off"
done

bare_passes "5 levels, bare" CMDLINE="levels=5 $few"
truth=$LOGS/$prefix-5.tap
without_todo "$bare_tap" >"$truth"
as_bare "5 levels" CMDLINE="levels=5 $few" L0CMDLINE=pool=1M STRICT=1
done_testing
