# shellcheck shell=bash
# Debian's kernels as L1: to an initrd of busybox (initrd/), which tries the machine, reports in TAP and
# powers off. Bare first, so that a kernel that does not like the machine is not held against
# Nestling; then the points must be the same.
RUN_TIMEOUT=${RUN_TIMEOUT:-300} # seconds; a run takes a tenth of that
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
temporary_dir

# What is on the disks and goes over the network; the guest makes the same.
for _ in $(seq 20); do
	seq 1 20000
done | head -c 2097152 >"$dir/known"
sum_of() { sha256sum | cut -d ' ' -f 1; }
sum=$(sum_of <"$dir/known")

# What serves the guest's network, at QEMU's own addresses: the sum of what came, and what is known.
printf '#!/bin/sh\nsha256sum | cut -d " " -f 1\n' >"$dir/take"
printf '#!/bin/sh\ncat %s/known\n' "$dir" >"$dir/give"
chmod +x "$dir/take" "$dir/give"

# disk NAME: $dir/NAME.img, 64 MiB with a line "0" at its start and those 2 MiB at 32 MiB.
disk() {
	rm -f "$dir/$1.img"
	echo 0 >"$dir/$1.img"
	truncate -s 64M "$dir/$1.img"
	dd if="$dir/known" of="$dir/$1.img" bs=1M seek=32 conv=notrunc status=none
}

# written NAME DISK: what the guest wrote is on it.
written() {
	[ "$(dd if="$dir/$2.img" bs=1M skip=40 count=2 status=none | sum_of)" = "$sum" ]
	ok $? "$1: what L1 wrote is on the $2 disk"
}

# user_network ID NET: QEMU's options for a network that leads nowhere else.
user_network() {
	echo "-netdev user,id=$1,restrict=on,net=$2.0/24,guestfwd=tcp:$2.100:7-cmd:$dir/take,guestfwd=tcp:$2.101:7-cmd:$dir/give"
}
devices="-drive if=none,id=one,format=raw,file=$dir/virtio.img -device virtio-blk-pci,drive=one
	-drive if=none,id=two,format=raw,file=$dir/ahci.img -device ide-hd,drive=two,bus=ide.3,model=NESTLING
	$(user_network first 10.0.2) -device virtio-net-pci,netdev=first,romfile=
	$(user_network second 10.0.3) -device e1000,netdev=second,romfile="

# shellcheck disable=SC2034 # for the tests
every_part=processors,clock,disk,network,load,memory
rounds=2  # of each load
memory=64 # MiB to fill

# The part kvm runs with one processor: with two, bare QEMU has hung amid it.

# no_timer_check: Linux counts the PIT's ticks for 60 ms and panics if there are too few. QEMU's come
# late when the host is busy, bare too; that interrupts arrive is seen by what follows.
words="console=ttyS0 quiet nokaslr no_timer_check"

# linux_points PASSES NAME KERNEL PARTS VARIABLE=VALUE...: these parts of the initrd, on disks of their
# own; PASSES is bare_passes or image_passes.
linux_points() {
	local passes=$1 name=$2 kernel=$3 parts=$4
	shift 4
	disk virtio
	disk ahci
	$passes "$name" MEM=512M L1="$BUILD/linux/vmlinuz-$kernel" INITRD="$BUILD/linux/initrd-$kernel" \
		QEMUFLAGS="${devices//[[:space:]]/ }" \
		CMDLINE="$words TESTS=$parts SUM=$sum ROUNDS=$rounds MEMORY=$memory" "$@"
	! grep -qaE 'Kernel panic|Oops|BUG:|unchecked MSR' "$log"
	ok $? "$name: the kernel complains of nothing"
	grep -q 'the machine powered off' "$log.runner"
	ok $? "$name: the machine powers off"
	[[ $parts != *disk* ]] || { written "$name" virtio && written "$name" ahci; }
}

linux_bare() { linux_points bare_passes "$@"; }
linux_runs() { linux_points image_passes "$@"; }
