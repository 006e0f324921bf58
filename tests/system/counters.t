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
	for strict in 0 1; do
		name="$bits bits, hot key, STRICT=$strict"
		image_passes "$name" STRICT=$strict L0CMDLINE=hotkey=on CMDLINE=hotkey=on
		[ "$(grep -c ' pages free; ' "$log")" = 2 ]
		ok $? "$name: one dump by the hypercall, one by the key"
	done
done

# PM1a_CNT of q35 as its firmware puts it: SLP_EN with the type of S3, as a word and as a byte.
temporary_dir
tiny_image sleep 0x100000 'mov dx, 0x604
	mov ax, 0x2400
	out dx, ax
	inc dx
	mov al, 0x24
	out dx, al
	xor eax, eax
	out 0xf4, al'
unset L0CMDLINE
for npt in on off; do
	name="S3, npt=$npt"
	run "$name" L1="$dir/sleep.elf" STRICT=1 L0CMDLINE=npt=$npt
	ok "$status" "$name: the guest goes on"
	[ "$(grep -c 'asks for ACPI sleep state S3: refused' "$log")" = 2 ]
	ok $? "$name: it is told"
done
done_testing
