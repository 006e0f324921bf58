# shellcheck shell=bash
# Debian's kernels as L1: to a shell on an initrd of busybox, and off by themselves. Bare first, so
# that a kernel that does not like the machine is not held against Nestling.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

RUN_TIMEOUT=240

# What init says of so many processors, with one of them brought down and up again.
several_processors() {
	lines=("linux-test: $1 processors" "linux-test: offline leaves $(($1 - 1))"
		"linux-test: online brings $1" "linux-test: $1 processors say where they are")
}

# linux_runs NAME ARCH MACHINE VARIABLE=VALUE...
linux_runs() {
	local name=$1 arch=$2 machine=$3 line lines
	shift 3
	run "$name" MEM=512M L1="$BUILD/linux/vmlinuz-$arch" \
		INITRD="$BUILD/linux/initrd-${arch/686/i386}" \
		CMDLINE="console=ttyS0 quiet nokaslr" "$@"
	lines=()
	for line in "$@"; do
		[[ $line != SMP=* ]] || several_processors "${line#SMP=}"
	done
	for line in "${lines[@]}" "linux-test: init runs" "linux-test: shell says 42" "linux-test: a child ran"; do
		tr -d '\r' <"$log" | grep -qax "$line"
		ok $? "$name: \"$line\""
	done
	grep -qaE "^Linux .* $machine " "$log"
	ok $? "$name: the kernel is one for $machine"
	grep -qaE '^vendor_id.*: AuthenticAMD' "$log"
	ok $? "$name: /proc/cpuinfo shows an AMD processor"
	! grep -qaE 'Kernel panic|Oops|BUG:|unchecked MSR' "$log"
	ok $? "$name: the kernel complains of nothing"
	[ "$status" = 0 ] && grep -q 'the machine powered off' "$log.runner"
	ok $? "$name: the machine powers off"
}

