#!/bin/bash
# Xen's EFI build by chain=: it reads its configuration, its dom0 and that one's initrd by the firmware's services,
# and ends these itself, with Nestling below. A PV dom0 with 2 processors and no guest, which xen.t has.
. "$(dirname "$0")/xen.sh"

cp "$HYPERVISORS/xen/boot/xen-4.17-amd64.efi" "$dir/xen.efi"
cat >"$dir/xen.cfg" <<-EOF
	[global]
	default=test
	[test]
	options=com1=115200,8n1 console=com1 dom0_mem=512M
	kernel=vmlinuz-amd64 console=hvc0 quiet rdinit=/xen-dom0 GUESTS= LIMIT=$RUN_TIMEOUT
	ramdisk=initrd
EOF
by_instructions= # there is no L2
xen "PV dom0, 2 processors" "" "" BOOT=uefi SMP=2 STRICT=1 CONFIG="chain=xen.efi" \
	L1="$dir/xen.efi" MODULES="$BUILD/linux/vmlinuz-amd64,$dir/initrd,$dir/xen.cfg"
grep -qaF "2 processors, L1 by chain=" "$log"
ok $? "Nestling is below"
rm -f "$log.tap"
done_testing
