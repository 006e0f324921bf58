#!/bin/bash
# Nestling on Debian's KVM, longer than under-kvm.t: more images, on one and two processors, in xAPIC and in
# x2APIC mode; Linux under load, and its KVM without nested paging.
. "$(dirname "$0")/../kvm.sh"

nestling=$BUILD/strict/nestling.bin
kvm_emulated "on KVM" off 1 "$nestling" long "long levels=5" "svm64 x2apic=on" nopse pse
KVM_SMP=2 kvm_emulated "on KVM, 2 processors" off 1 "$nestling" "startup64 cpus=2" smp64 "smp64 x2apic=on"
linux_on_kvm "Linux" "TESTS=memory,kvm ROUNDS=2 MEMORY=8"
linux_on_kvm "Linux, npt=0" "TESTS=kvm ROUNDS=2 kvm_amd.npt=0"
done_testing
