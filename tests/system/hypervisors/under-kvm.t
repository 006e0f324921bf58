#!/bin/bash
# Nestling on Debian's KVM, as -cpu host is how most people try it first: SVM's suite, where what KVM
# does otherwise is marked; two processors in x2APIC mode, which QEMU's own emulation has not, and the
# same as KVM's own L1; and Linux, which learns the TSC's frequency from Nestling and so can run an L2 by its
# own KVM. soak/under-kvm.t has more.
. "$(dirname "$0")/kvm.sh"

nestling=$BUILD/strict/nestling.bin
kvm_emulated "on KVM" off 1 "$nestling" svm64
KVM_SMP=2 kvm_emulated "x2APIC, KVM's own" off 1 none "startup64 cpus=2 x2apic=on"
KVM_SMP=2 kvm_emulated "x2APIC, on KVM" off 1 "$nestling" "startup64 cpus=2 x2apic=on"
linux_on_kvm "Linux" "TESTS=kvm ROUNDS=1"
done_testing
