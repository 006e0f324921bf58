#!/bin/bash
# Debian's QEMU with KVM in L1: a Linux of 1 and 2 processors, two at once, and the bundled images as L2, by all
# paging. What KVM cannot do on bare TCG is in the bare points: images that run nested guests of PAE end early.
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
for kernel in amd64 i386; do
	qemu_job "$kernel"
	with_images svm32 svm64 long
	printf 'image svm32\nimage svm64\nimage long\n' >>"$job/job"
	qemu_job_ends
	kvm_job "$kernel, images" "$kernel" "$(arch_of "$kernel")" BOOT=direct STRICT=1
done
done_testing
