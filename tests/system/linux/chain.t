#!/bin/bash
# chain= with Debian's kernel for amd64 as it is installed on UEFI machines: its EFI stub, started by the
# firmware that Nestling has gone below, and GRUB on a second disk, which is the firmware's next boot
# option. EFI's variables and its services are the kernel's own; its KVM runs an L2.
. "$(dirname "$0")/runs.sh"

export BOOT=uefi
devices=${devices%%-netdev*}
words+=" SUM=$sum ROUNDS=1 MEMORY=$memory"

# below NAME PROCESSORS: Nestling was, with so many; it is not just that the system ran.
below() {
	grep -qaE "[ ,]$2 processors?, L1 by chain=" "$log" && ! grep -qaF 'nestling: error: ' "$log"
	ok $? "$1: Nestling is below"
}

# by_stub NAME PARTS BOOTS VARIABLE=VALUE...: BOOTS have written a variable to this store before.
by_stub() {
	local name=$1 parts=$2 boots=$3
	shift 3
	linux_runs "$name" amd64 "$parts" \
		CONFIG="chain=vmlinuz-amd64 cmdline=\"initrd=\\EFI\\BOOT\\initrd-amd64 $words BOOTS=$boots TESTS=$parts\"" "$@"
}

export VARS="$dir/vars.fd"
by_stub "EFI stub" firmware,disk,kvm 0
below "EFI stub" 1
by_stub "EFI stub, 2 processors" processors,clock,firmware,stat 1 SMP=2
below "EFI stub, 2 processors" 2
by_stub "EFI stub, 4 processors, strict" processors,firmware 2 SMP=4 STRICT=1
below "EFI stub, 4 processors, strict" 4

# The second disk: GRUB where firmware looks for it, which finds the kernel and its initrd there.
VARS=
cat >"$dir/grub.cfg" <<-EOF
	search --file --set=root /vmlinuz
	linux /vmlinuz $words BOOTS=0 TESTS=processors,firmware
	initrd /initrd
	boot
EOF
grub-mkstandalone -O x86_64-efi -o "$dir/grubx64.efi" --fonts= --themes= --locales= \
	--install-modules="normal search search_fs_file part_msdos part_gpt fat linux boot" \
	"boot/grub/grub.cfg=$dir/grub.cfg" >"$dir/grub.log" 2>&1 &&
	truncate -s 64M "$dir/second.img" &&
	mformat -i "$dir/second.img" -T 131072 -h 16 -s 63 :: &&
	mmd -i "$dir/second.img" ::/EFI ::/EFI/BOOT &&
	mcopy -i "$dir/second.img" "$dir/grubx64.efi" ::/EFI/BOOT/BOOTX64.EFI &&
	mcopy -i "$dir/second.img" "$BUILD/linux/vmlinuz-amd64" ::/vmlinuz &&
	mcopy -i "$dir/second.img" "$BUILD/linux/initrd-amd64" ::/initrd
ok $? "a disk with GRUB is made"
devices="-drive format=raw,file=$dir/second.img $devices"
linux_runs "GRUB by chain=auto, 2 processors" amd64 processors,firmware SMP=2 CONFIG="chain=auto"
below "GRUB by chain=auto, 2 processors" 2
done_testing
