#!/bin/bash
# Debian's kernel for i386 without PAE: 2-level paging, under nested paging and shadowed (row R4).
. "$(dirname "$0")/runs.sh"

linux_runs "bare" 686 i686 BARE=1
linux_runs "direct" 686 i686 BOOT=direct
linux_runs "no nested paging" 686 i686 BOOT=direct CPU=max,npt=off
linux_runs "strict, npt=off" 686 i686 BOOT=direct STRICT=1 L0CMDLINE=npt=off
done_testing
