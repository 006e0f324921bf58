#!/bin/bash
# Bundled images as L1s of Debian's KVM, without Nestling: with nested paging on a 5-level host, and without
# on a 4-level one. TCG writes the accessed bit into PDPTEs, where it is reserved, and KVM refuses them: a PAE
# L1 comes to something with npt=0 only. soak/kvm-images.t has all images and combinations.
. "$(dirname "$0")/kvm.sh"

kvm_emulated "npt=1, la57=on" on 1 none long pse
kvm_emulated "npt=0, la57=off" off 0 none nopse
done_testing
