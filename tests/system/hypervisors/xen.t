#!/bin/bash
# Xen 4.17 as L1: a PV dom0 with a PVH guest, which is an L2; a PVH dom0, which is one itself; and a PV
# dom0 where L1 is shown no nested paging (Debian's Xen has no shadow paging: no guests then, bare or not).
. "$(dirname "$0")/xen.sh"

xen_bare "PV dom0, bare" "" pvh:1 BOOT=direct SMP=2
xen_runs "PV dom0, 2 processors, GRUB" "" pvh:1 BOOT=grub SMP=2
machine=$pvh_machine
xen_bare "PVH dom0, bare" dom0=pvh "" BOOT=direct
xen_runs "PVH dom0" dom0=pvh "" BOOT=direct L0CMDLINE=iommu=off
machine=
xen_runs "PV dom0, npt=off" "" "" L0CMDLINE=npt=off BOOT=direct
done_testing
