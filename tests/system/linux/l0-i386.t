#!/bin/bash
# Debian's 32-bit kernels, with PAE and without, on L0 as a 32-bit program (docs/i386.md), and their KVM.
. "$(dirname "$0")/runs.sh"

on32="BUILD=$BUILD/i386 L0ARCH=i386 BOOT=direct CPU=max,lm=off"
some=processors,clock,disk
linux_bare "i386, bare" i386 $some BARE=1 SMP=2 CPU=max,lm=off
# shellcheck disable=SC2086 # words
linux_runs "i386, 2 processors" i386 $some SMP=2 $on32
linux_bare "i386, KVM, bare" i386 kvm BARE=1 CPU=max,lm=off
# shellcheck disable=SC2086
linux_runs "i386, KVM, strict" i386 kvm STRICT=1 $on32
linux_bare "686, bare" 686 $some BARE=1 CPU=max,lm=off
# shellcheck disable=SC2086
linux_runs "686, npt=off" 686 $some $on32 L0CMDLINE=npt=off
linux_bare "686, KVM, bare" 686 kvm BARE=1 CPU=max,lm=off
# shellcheck disable=SC2086
linux_runs "686, KVM" 686 kvm $on32
done_testing
