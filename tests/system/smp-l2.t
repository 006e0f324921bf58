#!/bin/bash
# Several processors that run L2s, or L1's own code, on shared tables while one of them edits these
# (guest/smp.c): bare first, then with nested paging, with the smallest pool, and with npt=off.
#
# Where the host has fewer processors, four of them take their time: so they do a part only.
RUN_TIMEOUT=${RUN_TIMEOUT:-300}
. "$(dirname "$0")/lib.sh"

export MEM=128M BOOT=direct

few=edits=8
for bits in 32 64; do
	export L1=smp$bits
	bare_passes "$bits bits, 4 processors, bare" SMP=4 CMDLINE=$few
	bare_passes "$bits bits, 2 processors, bare" SMP=2
	image_passes "$bits bits, 2 processors" SMP=2
	image_passes "$bits bits, 2 processors, npt=off, strict" SMP=2 CMDLINE=$few \
		L0CMDLINE=npt=off STRICT=1
	bare_tap=
	image_passes "$bits bits, 4 processors, pool=1M, strict" SMP=4 L0CMDLINE=pool=1M STRICT=1 \
		CMDLINE="edits=4 rounds=2 filter=smp.r*"
	image_passes "$bits bits, 4 processors, npt=off" SMP=4 L0CMDLINE=npt=off \
		CMDLINE="edits=4 filter=smp.own"
done
image_passes "3 processors, 4-level paging, strict" SMP=3 CMDLINE="$few rounds=2 seed=3" \
	L0CMDLINE=la57=off STRICT=1
image_passes "3 processors, 5-level tables" SMP=3 STRICT=1 \
	CMDLINE="$few seed=5 levels=5 filter=smp.random"

run "one processor" SMP=1
grep -qa '1..0 # SKIP one processor only' "$log"
ok $? "one processor: says that there have to be more"
done_testing
