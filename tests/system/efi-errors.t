#!/bin/bash
# What the EFI program finds wrong it says in one line on UEFI's console, and returns.
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=uefi
says_in_firmware "no SVM" "has no SVM" CPU=max,svm=off
says_in_firmware "no NPT" "no nested paging" CPU=max,npt=off L0CMDLINE=npt=on
says_in_firmware "L1 is missing" "cannot read the file of l1=nothing.elf: there is no such file" \
	CONFIG="l1=nothing.elf"
says_in_firmware "L1 is a directory" "cannot read the file of l1=\\EFI" CONFIG='l1=\EFI'
says_in_firmware "initrd is missing" "cannot read the file of initrd=a/b: there is no such file" \
	CONFIG="l1=pae.elf initrd=a/b"
says_in_firmware "a module is missing" "cannot read the file of module=c: there is no such file" \
	CONFIG='l1=pae.elf module="pae.elf a" module="c d" initrd=e'
says_in_firmware "a module without a name" 'bad value in configuration word "module=" a"": begin it' \
	CONFIG='l1=pae.elf module=" a"'
says_in_firmware "no L1" "no L1 is named" CONFIG="la57=off"
says_in_firmware "empty configuration" "no L1 is named" CONFIG=""
says_in_firmware "unknown word" 'unknown configuration word "color=blue"' \
	CONFIG="l1=pae.elf color=blue"
says_in_firmware "malformed word" 'bad value in configuration word "la57=7"' \
	CONFIG="l1=pae.elf la57=7"
says_in_firmware "too long" "shorten it" CONFIG="l1=pae.elf cmdline=$(printf '%2100s' '' | tr ' ' x)"
says_in_firmware "everything of nothing" "everything= names no image" CONFIG="everything=pae.elf,"
says_in_firmware "everything and L1" "everything= goes with neither l1=" CONFIG="l1=pae.elf everything=pae.elf"

# GRUB names the device of its root, not where it read the program: from an archive on a disk without a
# file system, which is an error and GRUB goes on; then from a volume that has L1 beside it.
tiny_image ends 0x100000 $'xor eax, eax\nmov dx, 0xf4\nout dx, al'
fat() {
	truncate -s 4M "$dir/$1"
	mformat -i "$dir/$1" -T 8192 -h 16 -s 63 ::
}
tar -cf "$dir/disk" -C "$BUILD/release" nestling.efi
cat >"$dir/early.cfg" <<'EOF'
	search.file /nestling.efi bare
	search.file /there/nestling.efi volume
	chainloader ($bare)/nestling.efi everything=ends.elf
	boot
	echo GRUB goes on
	chainloader ($volume)/there/nestling.efi l1=ends.elf
	boot
EOF
grub-mkimage -O x86_64-efi -d /usr/lib/grub/x86_64-efi -c "$dir/early.cfg" -p / -o "$dir/grub.efi" \
	boot chain echo fat search_fs_file tar
fat stick && mmd -i "$dir/stick" ::/EFI ::/EFI/BOOT && mcopy -i "$dir/stick" "$dir/grub.efi" ::/EFI/BOOT/BOOTX64.EFI
fat volume && mmd -i "$dir/volume" ::/there && mcopy -i "$dir/volume" "$BUILD/release/nestling.efi" "$dir/ends.elf" ::/there
run "a disk without FAT" STICK="$dir/stick" STICK_FLAGS=snapshot=on \
	QEMUFLAGS="-drive format=raw,file=$dir/disk,snapshot=on -drive format=raw,file=$dir/volume,snapshot=on"
grep -qa "error: cannot find the directory of this program (.*): .* such as a stick's FAT partition" "$log"
ok $? "a disk without FAT: the program says so"
grep -qa "GRUB goes on" "$log"
ok $? "a disk without FAT: and GRUB goes on"
ok "$status" "another disk than GRUB's root: the program finds its directory, and L1 there"
done_testing
