#!/bin/bash
# Debian's kernel for i386 without PAE: 2-level paging, under nested paging and shadowed (row R4).
. "$(dirname "$0")/runs.sh"

some=processors,clock,disk,load
linux_bare "bare" 686 $some BARE=1 SMP=2
linux_runs "2 processors" 686 $some BOOT=direct SMP=2
some=network,memory
linux_bare "1 processor, bare" 686 $some BARE=1
linux_runs "no nested paging" 686 $some BOOT=direct CPU=max,npt=off
linux_runs "strict, npt=off" 686 $some BOOT=direct STRICT=1 L0CMDLINE=npt=off
linux_bare "KVM, bare" 686 kvm BARE=1
linux_runs "KVM" 686 kvm BOOT=direct
done_testing
