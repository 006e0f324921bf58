#!/bin/bash
# Nestling on Debian's KVM, as -cpu host is how most people try it first: what fails there must be in
# kvm/6.1's lines for Nestling. soak/under-kvm.t has more.
. "$(dirname "$0")/kvm.sh"

kvm_emulated "on KVM" off 1 "$BUILD/strict/nestling.bin" long
done_testing
