#!/bin/bash
# Debian's kernel for i386 without PAE: 2-level paging, under nested paging and shadowed (row R4).
. "$(dirname "$0")/runs.sh"

parts=processors,clock,disk,load
linux_bare "bare" 686 $parts BARE=1 SMP=2
linux_runs "2 processors" 686 $parts BOOT=direct SMP=2
linux_runs "2 processors, strict, npt=off" 686 $parts BOOT=direct STRICT=1 L0CMDLINE=npt=off SMP=2
linux_bare "1 processor, bare" 686 clock,network BARE=1
linux_runs "no nested paging" 686 clock,network BOOT=direct CPU=max,npt=off
done_testing
