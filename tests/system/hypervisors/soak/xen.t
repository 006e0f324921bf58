#!/bin/bash
# Xen as L1 in every combination: PV and PVH dom0, 1 and 2 processors, each way to boot, PVH and HVM guests
# with 1 and 2 processors, one after the other; and without nested paging. By UEFI a PVH dom0 only: Xen by
# multiboot asks a BIOS, in real mode, unless it is told not to, and a PV dom0 looks for ACPI where a BIOS has it.
RUN_TIMEOUT=${RUN_TIMEOUT:-1800}
. "$(dirname "$0")/../xen.sh"
guests=pvh:1+pvh:2+hvm:1+hvm:2

for smp in 1 2; do
	machine=
	xen_bare "PV dom0, $smp, bare" "" $guests BOOT=direct SMP=$smp
	for boot in direct grub; do
		xen_runs "PV dom0, $smp, $boot" "" $guests BOOT=$boot SMP=$smp
	done
	xen_bare "PV dom0 alone, $smp, bare" "" "" CPU="$CPU,npt=off" BOOT=direct SMP=$smp
	for boot in direct grub; do
		xen_runs "PV dom0 alone, $smp, npt=off, $boot" "" "" L0CMDLINE=npt=off BOOT=$boot SMP=$smp
	done
	machine=$pvh_machine
	xen_bare "PVH dom0, $smp, bare" dom0=pvh $guests BOOT=direct SMP=$smp
	for boot in direct grub grub-efi uefi; do
		words=
		[[ $boot != *efi ]] || words=" no-real-mode"
		xen_runs "PVH dom0, $smp, $boot" "dom0=pvh$words" $guests BOOT=$boot SMP=$smp L0CMDLINE=iommu=off
	done
done
done_testing
