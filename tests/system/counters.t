#!/bin/bash
# Nestling's counters, seen from L1: its CPUID leaf, registers and hypercall, and the dump on COM1.
. "$(dirname "$0")/lib.sh"

export MEM=128M BOOT=direct

# dump_is_whole NAME PROCESSORS: the last run's log has a dump of so many processors.
dump_is_whole() {
	local cpu
	for ((cpu = 0; cpu < $2; cpu++)); do
		grep -qE "^nestling: +processor $cpu, exits of L1: (none|.*[A-Z]+=[1-9])" "$log"
		ok $? "$1: processor $cpu tells the exits of L1"
	done
	grep -qE '^nestling: +processor 0, exits of L2: .*VMMCALL=[1-9]' "$log"
	ok $? "$1: L2's exits are told by name"
	grep -qE '^nestling: +processor 0, events: .* fills=[1-9]' "$log"
	ok $? "$1: the fills are told"
	grep -qE '^nestling: +pool: [0-9]+ of [0-9]+ pages free' "$log"
	ok $? "$1: the pool is told"
}

for bits in 32 64; do
	export L1=counters$bits
	for variables in "" "STRICT=1" "L0CMDLINE=npt=off" "L0CMDLINE=log=quiet" "SMP=2"; do
		name="$bits bits${variables:+, $variables}"
		image_passes "$name" $variables
		dump_is_whole "$name" "$([ "$variables" = SMP=2 ] && echo 2 || echo 1)"
	done
done
done_testing
