#!/bin/bash
# Debian's kernel for amd64 as it is installed on UEFI machines, with Nestling below: started by the
# firmware from its own EFI stub, with 1, 2 and 4 processors, and by GRUB on a second disk, which is the
# firmware's next boot option. EFI's variables and runtime services are its own.
. "$(dirname "$0")/runs.sh"

export BOOT=uefi
parts=processors,clock,firmware,disk,memory
devices=${devices%%-netdev*}
the_words="$words TESTS=$parts SUM=$sum ROUNDS=$rounds MEMORY=$memory BOOTS=0"
by_stub="chain=vmlinuz-amd64 cmdline=\"initrd=\\EFI\\BOOT\\initrd-amd64 $the_words\""

bare_tap=
linux_runs "EFI stub" amd64 $parts CONFIG="$by_stub"

# The second disk: GRUB where firmware looks for it.
cat >"$dir/grub.cfg" <<-EOF
	search --file --set=root /vmlinuz
	linux /vmlinuz $the_words
	initrd /initrd
	boot
EOF
grub-mkstandalone -O x86_64-efi -o "$dir/grubx64.efi" --fonts= --themes= --locales= \
	--install-modules="normal search search_fs_file part_msdos part_gpt fat linux boot" \
	"boot/grub/grub.cfg=$dir/grub.cfg" >/dev/null 2>&1
truncate -s 128M "$dir/second.img"
mformat -i "$dir/second.img" -T 262144 -h 16 -s 63 :: &&
	mmd -i "$dir/second.img" ::/EFI ::/EFI/BOOT &&
	mcopy -i "$dir/second.img" "$dir/grubx64.efi" ::/EFI/BOOT/BOOTX64.EFI &&
	mcopy -i "$dir/second.img" "$BUILD/linux/vmlinuz-amd64" ::/vmlinuz &&
	mcopy -i "$dir/second.img" "$BUILD/linux/initrd-amd64" ::/initrd
ok $? "a disk with GRUB is made"
devices="-drive format=raw,file=$dir/second.img $devices"
linux_runs "GRUB, chain=auto, 2 processors" amd64 $parts SMP=2 CONFIG="chain=auto"
done_testing
