#!/bin/bash
# Debian's QEMU with KVM in L1: a Linux of 1 and 2 processors, and two at once, by all paging. Bundled images as its
# L2s are in kvm-images.t.
RUN_TIMEOUT=${RUN_TIMEOUT:-3600}
. "$(dirname "$0")/../vms.sh"

# linuxes KERNEL: in the job.
linuxes() {
	qemu_job "$1"
	cat >>"$job/job" <<-'EOF'
		linux one 1
		linux two 2
		linux left 1 &
		linux right 2
		wait
	EOF
	qemu_job_ends
}

linuxes amd64
kvm_bare "amd64, bare" amd64 amd64 SMP=2
for l0 in npt=auto la57=off npt=off; do
	kvm_job "amd64, $l0" amd64 amd64 BOOT=direct STRICT=1 SMP=2 L0CMDLINE=$l0
done
bare_tap= # bare QEMU aborts: "invalid tss type" (docs/hypervisors.md)
linuxes 686
for l0 in npt=auto la57=off npt=off; do
	kvm_job "PAE, $l0" i386 i386 BOOT=direct STRICT=1 SMP=2 L0CMDLINE=$l0
	kvm_job "2-level, $l0" 686 i386 BOOT=direct STRICT=1 SMP=2 L0CMDLINE=$l0
done
done_testing
