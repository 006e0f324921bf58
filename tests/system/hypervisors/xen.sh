# shellcheck shell=bash
# Xen as L1, with Debian's amd64 kernel as its dom0, whose initrd is check-linux's with Xen's tools behind
# it (xen-dom0). dom0 reports in TAP by COM2, since COM1 is Xen's. Bare first: on Nestling the points are
# the same.
#
# What QEMU's processor lacks, or does otherwise than the manual, and Xen stumbles over, bare:
# - smap: IRET at CPL 3 reads its stack as the kernel, a PV kernel's first one faults;
# - rdtscp: it exits as RDTSC, and Xen refuses an instruction that is not what the exit says;
# - xsave: XSETBV cannot be intercepted, so Xen does not know L2's XCR0, and restores another.
. "$(dirname "${BASH_SOURCE[0]}")/runs.sh"
export CPU=max,-smap,-rdtscp,-xsave MEM=1G

# Time goes by instructions, on one thread for all processors. By the host's clock each tick of a PVH dom0, which is
# an L2, takes longer than until the next where the host is slow; and with a thread for each processor QEMU once
# reported a triple fault of an L2 that was Xen's own state, at the instruction behind VMRUN (bare, 2 processors).
by_instructions="-icount shift=0,sleep=off"
# A PVH dom0 wants an IOMMU of its own.
# shellcheck disable=SC2034 # for the tests
pvh_machine="-device amd-iommu"

# The guest's and dom0's files: a kernel, its initrd of busybox alone, and what dom0 does.
mkdir -p "$dir/guest/bin" "$dir/dom0/guest"
cp "$BUILD/linux/busybox-amd64" "$dir/guest/bin/busybox"
cp tests/system/hypervisors/xen-guest "$dir/guest/init"
archive "$dir/guest" "$dir/dom0/guest/initrd"
cp "$BUILD/linux/vmlinuz-amd64" "$dir/dom0/guest/vmlinuz"
cp tests/system/hypervisors/xen-dom0 "$dir/dom0/"
archive "$dir/dom0" "$dir/dom0.cpio"
for file in "$BUILD/linux/initrd-amd64" "$HYPERVISORS/xen.cpio" "$dir/dom0.cpio"; do
	cat "$file"
	head -c $((-$(stat -Lc %s "$file") & 3)) /dev/zero
done >"$dir/initrd"
gzip -dc "$HYPERVISORS/xen/boot/xen-4.17-amd64.gz" >"$dir/xen"

# xen NAME WORDS GUESTS VARIABLE=VALUE...: Xen with these further words, dom0 with these guests: pvh:2, which
# has 2 processors, or hvm:1; several with + between. Its points are in $said.
xen() {
	local name=$1 words="com1=115200,8n1 console=com1 dom0_mem=512M $2" kernel
	kernel="console=hvc0 quiet rdinit=/xen-dom0 GUESTS=$3 LIMIT=$RUN_TIMEOUT"
	shift 3
	said=$dir/said
	: >"$said"
	run "$name" L1="$dir/xen" CMDLINE="$words" \
		MODULES="$BUILD/linux/vmlinuz-amd64 $kernel,$dir/initrd" "$@" \
		QEMUFLAGS="-serial file:$said $by_instructions ${machine:-}"
	grep -q 'the machine powered off' "$log.runner"
	ok $? "$name: the machine powers off"
	tap_of "$said" >"$log.tap"
	tap_whole "$log.tap"
	ok $? "$name: every point came, and none failed"
	! grep -qaE 'Panic on CPU|Dom0 crashed|Kernel panic|Oops|BUG:' "$log"
	ok $? "$name: neither Xen nor dom0 complains"
}

# xen_bare and xen_runs: the same, and the second compares with the first.
xen_bare() {
	xen "$@" BARE=1
	bare_tap=$LOGS/$prefix-bare.tap
	mv "$log.tap" "$bare_tap"
}
xen_runs() {
	xen "$@" STRICT=1
	tap_same "$bare_tap" "$log.tap"
	ok $? "$1: the same points as on the bare machine"
	rm -f "$log.tap"
}
