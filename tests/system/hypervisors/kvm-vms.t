#!/bin/bash
# KVM as L1 with guests of ours (vms/), whose memory changes under them, in 64 bits and with PAE.
. "$(dirname "$0")/vms.sh"

swap_disk
vms_job amd64 1 real long
kvm_bare "amd64, bare" amd64 none
kvm_job "amd64" amd64 none BOOT=direct STRICT=1
vms_job i386 1 protected PAE
kvm_bare "PAE, bare" i386 none
kvm_job "PAE" i386 none BOOT=direct STRICT=1
done_testing
