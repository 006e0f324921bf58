#!/bin/bash
# L1 reboots the machine, by each way that Linux has, and comes up again with Nestling below it.
. "$(dirname "$0")/runs.sh"

# The last -action counts: tests/run ends QEMU at a reset else. The network is not needed.
devices="${devices%%-netdev*} -action reboot=reset"

# linux_reboots NAME KERNEL VARIABLE=VALUE...: four reboots and a power-off.
linux_reboots() {
	local name=$1
	linux_runs "$1" "$2" reboot "${@:3}"
	[ "$(grep -ac '^nestling: .* L1 by Linux' "$log")" = 5 ]
	ok $? "$name: Nestling came up 5 times"
	[ "$(grep -ac '^nestling: shutdown of L1: resetting' "$log")" = 1 ]
	ok $? "$name: one of the resets was by a triple fault"
}

linux_bare "i386, bare" i386 reboot BARE=1 SMP=2
linux_reboots "i386, GRUB from BIOS" i386 BOOT=grub SMP=2
linux_reboots "i386, strict, npt=off" i386 BOOT=direct STRICT=1 L0CMDLINE=npt=off SMP=2
linux_bare "amd64, bare" amd64 reboot BARE=1 SMP=2
linux_reboots "amd64, EFI program" amd64 BOOT=uefi SMP=2
done_testing
