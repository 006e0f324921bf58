#!/bin/bash
# All bundled images as L1s of Debian's KVM, without Nestling: on 5-level and 4-level hosts, with nested
# paging and without; and of a KVM that is itself L1 of Nestling.
. "$(dirname "$0")/../kvm.sh"

images=(nopse pse pae svm32 long "long levels=5" svm64)
for npt in ${NPT:-1 0}; do
	for la57 in ${LA57:-off on}; do
		kvm_emulated "npt=$npt, la57=$la57" "$la57" "$npt" none "${images[@]}"
	done
	KVM_BELOW="BOOT=direct STRICT=1" kvm_emulated "KVM on Nestling, npt=$npt" off "$npt" none "${images[@]}"
done
done_testing
