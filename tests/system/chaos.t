#!/bin/bash
# A hostile L1: 10^5 VMRUNs of random VMCBs on random tables, and another processor that rewrites both
# meanwhile. Nestling stays up, and all of its memory is looked over afterwards (canary.c): the
# machine's memory is a file, so that nothing has to stop for it. CHAOS_RUNS and CHAOS_SEED are for
# make soak: so many VMRUNs in each of the ways, from that seed on.
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=direct MEM=128M
seed=${CHAOS_SEED:-1}
ram=$dir/ram
in_file="-object memory-backend-file,id=ram,size=$MEM,mem-path=$ram,share=on -machine memory-backend=ram"

# copy_l0 FILE: L0's memory as it is now, with what the log says of its place.
copy_l0() {
	read -r mib at <<<"$(tr -d '\r' <"$log" | sed -nE 's/.* ([0-9]+) MiB at ([0-9a-f]+),.*/\1 \2/p')"
	dd if="$ram" of="$1" bs=1M skip=$((0x$at >> 20)) count="$mib" status=none
}

# When L1 begins, L0's memory is copied; and a byte is written to it at $poke, if that is set.
copy_begin() {
	local log=$1 i=0
	while ! grep -qas 'TAP version' "$log" && [ $i -lt 300 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	copy_l0 "$dir/begin"
	[ -z "${poke:-}" ] || printf '\xcc' | dd of="$ram" bs=1 seek=$((0x$at + poke)) conv=notrunc status=none
}

# What `nm -S` says of L0 in this directory, without what the linker's compiler appends to names.
symbols() {
	nm -S "$1/nestling.elf" | sed -E 's/(\.(lto_priv|constprop|isra|part)\.[0-9]+)+$//' >"$dir/symbols"
}

canary() {
	"$out/canary" "$at" "$dir/symbols" "$dir/begin" "$1"
}

# chaos NAME WORDS VARIABLE=VALUE...: a run with these words for the image, and the canary.
chaos() {
	local name=$1 words=$2 watcher
	shift 2
	out=$BUILD/release
	[[ " $* " != *" STRICT=1 "* ]] || out=$BUILD/strict
	symbols "$out"
	rm -f "$ram" "$LOGS/$prefix-$(tr -c 'A-Za-z0-9.\n-' _ <<<"$name").log"
	copy_begin "$LOGS/$prefix-$(tr -c 'A-Za-z0-9.\n-' _ <<<"$name").log" &
	watcher=$!
	image_passes "$name" CMDLINE="seed=$seed $words" QEMUFLAGS="$in_file" "$@"
	wait "$watcher"
	grep -a ' runs: ' "$log" | tr -d '\r'
	copy_l0 "$dir/end"
	[ -z "${poke:-}" ] || return
	canary "$dir/end"
	ok $? "$name: L0's memory is whole"
}

# runs N: so many VMRUNs, or as many as make soak wants.
runs() {
	echo "runs=${CHAOS_RUNS:-$1}"
}

chaos "64 bits" "$(runs 20000)" L1=chaos64
chaos "64 bits, strict" "$(runs 15000)" L1=chaos64 STRICT=1
chaos "32 bits" "$(runs 15000)" L1=chaos32
chaos "32 bits, strict" "$(runs 15000)" L1=chaos32 STRICT=1
chaos "32 bits, 2-level tables, 4-level L0" "$(runs 6000) format=pse" L1=chaos32 L0CMDLINE="la57=off pool=1M"
chaos "64 bits, npt=off" "$(runs 8000)" L1=chaos64 L0CMDLINE=npt=off
chaos "32 bits, npt=off, strict" "$(runs 8000)" L1=chaos32 L0CMDLINE=npt=off STRICT=1
chaos "64 bits, race" "$(runs 6000) race=1" L1=chaos64 SMP=2
chaos "32 bits, race, strict" "$(runs 6000) race=1" L1=chaos32 SMP=2 STRICT=1
chaos "64 bits, race, npt=off, strict" "$(runs 300) race=1" L1=chaos64 SMP=2 L0CMDLINE=npt=off STRICT=1
chaos "64 bits, one more processor, strict" "$(runs 2000)" L1=chaos64 SMP=2 STRICT=1

address_of() {
	awk -v name="$1" '$NF == name { print "0x" $1 }' "$dir/symbols"
}

# poke OFFSET: 1 into the first word from there that is 0; in a table that is one entry more.
poke_copy() {
	perl -e 'open F, "+<", $ARGV[0];
		for ($o = $ARGV[1]; ; $o += 8) { seek F, $o, 0; read F, $b, 8; last unless unpack "Q", $b }
		seek F, $o, 0; print F pack "Q", 1' "$dir/poked" "$1"
}

# The canary sees what is written to a copy: at the end of the heap, which nobody took, and in tables
# of the pool behind it, used ones or free ones.
heap_end=$(perl -e 'open F, "<", $ARGV[0]; seek F, $ARGV[1], 0; read F, $b, 8; print unpack("Q", $b) - hex $ARGV[2]' \
	"$dir/end" $(($(address_of heap_end) - $(address_of image_base))) "$at")
for offset in -8 8 $((4096 * 40)) $((4096 * 200)); do
	cp "$dir/end" "$dir/poked"
	poke_copy $((heap_end + offset))
	canary "$dir/poked" >"$dir/said"
	[ $? = 1 ]
	ok $? "the canary tells of a word that is written $offset bytes from the heap's end"
done

# And a byte of code that is written while L1 runs.
symbols "$BUILD/release"
poke=$(($(address_of stop) - $(address_of image_base)))
chaos "a byte of L0's code is overwritten" runs=2000 L1=chaos64
canary "$dir/end" >"$dir/said"
[ $? = 1 ] && grep -q "image has changed at .*, stop$" "$dir/said"
ok $? "the canary tells of it"
poke=

# What the emulators themselves make of it is told, not judged: they skip checks.
image_passes "64 bits, bare" L1=chaos64 BARE=1 CMDLINE="bare=1 runs=2000"
image_passes "32 bits, bare" L1=chaos32 BARE=1 CMDLINE="bare=1 runs=2000"

# Bochs, whose own checks are stricter.
for bits in 32 64; do
	image_passes "$bits bits, bare Bochs" EMU=bochs BARE=1 BOOT=grub L1=chaos$bits CMDLINE="bare=1 runs=500"
	image_passes "$bits bits, Bochs" EMU=bochs BOOT=grub L1=chaos$bits STRICT=1 CMDLINE=runs=1000
done

done_testing
