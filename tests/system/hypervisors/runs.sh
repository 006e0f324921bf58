# shellcheck shell=bash
# Hypervisors that others wrote: a Linux, which boots to check-linux's initrd with more archives behind it, does
# what a script of the test's says, and powers off. What the script writes to its standard output comes
# by COM2 and is in $said; the kernel's own words come by COM1 and are in $log.
RUN_TIMEOUT=${RUN_TIMEOUT:-600} # seconds; a run takes a tenth of that
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
temporary_dir
HYPERVISORS=$BUILD/hypervisors

# archive FOLDER OUT: its files, as an initrd has them.
archive() {
	local busybox
	busybox=$(realpath "$BUILD/linux/busybox-amd64") || exit 1
	(cd "$1" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$2"
}

# new_job: an empty directory $job: what is put in is in the root of the Linux's files.
new_job() {
	job=$dir/job
	rm -rf "$job"
	mkdir -p "$job"
}

# linux_job NAME KERNEL QEMU VARIABLE=VALUE...: boots that kernel of check-linux with the files of $job, of
# which /job is a script for its shell, and with Debian's QEMU for that architecture (amd64, i386), or
# none. Further words for the kernel are in $job_words, further options for the machine in $job_machine.
linux_job() {
	local name=$1 kernel=$2 initrds
	initrds=$BUILD/linux/initrd-$kernel
	[ "$3" = none ] || initrds+=,$HYPERVISORS/qemu-$3.cpio
	shift 3
	cp tests/system/hypervisors/job-init "$job/"
	archive "$job" "$dir/job.cpio"
	said=$dir/said
	: >"$said"
	run "$name" MEM=1G L1="$BUILD/linux/vmlinuz-$kernel" INITRD="$initrds,$dir/job.cpio" \
		QEMUFLAGS="-serial file:$said ${job_machine:-}" \
		CMDLINE="console=ttyS0 quiet nokaslr no_timer_check rdinit=/job-init ${job_words:-}" "$@"
	grep -q 'the machine powered off' "$log.runner"
	ok $? "$name: the machine powers off"
}
