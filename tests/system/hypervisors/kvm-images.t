#!/bin/bash
# Bundled images as L1s of Debian's KVM, without Nestling, each once, on 4-level and 5-level hosts,
# with nested paging and without. TCG writes the accessed bit into PDPTEs, where it is reserved, and KVM
# refuses them: a PAE L1 comes to something with npt=0 only. soak/kvm-images.t has all combinations.
. "$(dirname "$0")/kvm.sh"

kvm_emulated "npt=1, la57=off" off 1 none svm64 nopse
kvm_emulated "npt=1, la57=on" on 1 none long pse
kvm_emulated "npt=0, la57=off" off 0 none svm32
done_testing
