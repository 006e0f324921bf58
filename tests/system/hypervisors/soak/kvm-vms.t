#!/bin/bash
# KVM's guests of ours in every mode, of amd64, PAE and 2-level kernels, 1 and 2 processors, by all paging below.
# 2-level kernels have no nested paging in KVM: they load kvm-amd with npt=0 whatever is said.
RUN_TIMEOUT=${RUN_TIMEOUT:-3600}
. "$(dirname "$0")/../vms.sh"

swap_disk
# every KERNEL NPT MODE...
every() {
	local kernel=$1 npt=$2 n l0
	shift 2
	vms_job "$kernel" "$npt" "$@"
	for n in 1 2; do
		kvm_bare "$kernel, $n processors, bare" "$kernel" none SMP=$n
		for l0 in npt=auto la57=off; do
			kvm_job "$kernel, $n processors, $l0" "$kernel" none BOOT=direct STRICT=1 SMP=$n L0CMDLINE=$l0
		done
	done
	vms_job "$kernel" 0 "$@"
	for n in 1 2; do
		kvm_bare "$kernel, npt=0, $n processors, bare" "$kernel" none SMP=$n
		kvm_job "$kernel, npt=off, $n processors" "$kernel" none BOOT=direct STRICT=1 SMP=$n L0CMDLINE=npt=off
	done
}
every amd64 "1 0" real protected 2-level PAE long
every i386 "1 0" real protected 2-level PAE
every 686 0 real protected 2-level PAE
done_testing
