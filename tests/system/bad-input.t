#!/bin/bash
# What the core finds wrong it says in one line on COM1, and halts. (The EFI program's own errors
# are in efi-errors.t; SVM that the firmware disabled is in tests/unit/test_check_svm.c.)
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=direct
says "no SVM" "has no SVM" CPU=max,svm=off
says "no NPT" "no nested paging" CPU=max,npt=off L0CMDLINE=npt=on
says "too little memory" "too little memory" MEM=4M
says "too large a pool" "too little memory" L0CMDLINE=pool=1G

says "unknown word" 'unknown configuration word "color=blue"' L0CMDLINE=color=blue
says "unknown word, GRUB" 'unknown configuration word "color=blue"' L0CMDLINE=color=blue BOOT=grub
says "no key" 'there is no key=value in configuration word "la57"' L0CMDLINE=la57
says "bad value" 'bad value in configuration word "la57=7"' L0CMDLINE=la57=7
says "no such number" 'bad value in configuration word "pool=many"' L0CMDLINE=pool=many
says "not for this loader" "chain= and menu= are for the EFI program" L0CMDLINE=l1=x
says "nor for modules" "are for the EFI program" L0CMDLINE=module=x
says "no LA57" "this processor has no 5-level paging" CPU=max,la57=off L0CMDLINE=la57=on

pae=$BUILD/release/guest/pae.elf
head -c 20000 "$pae" >"$dir/truncated.elf"
echo "This is no image." >"$dir/text.elf"
: >"$dir/empty.elf"
head -c 1000 </dev/zero >"$dir/zero.elf"
# The header of a bzImage (offsets as in Linux's boot protocol) of 64 KiB that are not there.
cat >"$dir/half-linux.asm" <<'EOF'
	times 0x1f1 db 0
	db 4			; setup_sects
	dw 0
	dd 0x1000		; syssize, in 16 bytes
	times 0x1fe - ($ - $$) db 0
	dw 0xaa55
	db 0xeb, 0x66, "HdrS"
	dw 0x020f		; version
	times 0x211 - ($ - $$) db 0
	db 1			; loadflags: loaded high
	times 0x230 - ($ - $$) db 0
	dd 0x100000		; kernel_alignment
	times 0x800 - ($ - $$) db 0
EOF
nasm -f bin -o "$dir/half-linux.elf" "$dir/half-linux.asm"
cp "$dir/half-linux.elf" "$dir/whole-linux.elf"
truncate -s $((5 * 512 + 0x10000)) "$dir/whole-linux.elf"
tiny_image rom 0xf0000 ''
tiny_image nowhere 0xe0000000 ''
tiny_image high 0xfd00000 '' # of 256 MiB: where Nestling itself lives
says "no L1" "there is no L1 to run" L1=none
says "no L1, GRUB" "there is no L1 to run" L1=none BOOT=grub
says "truncated L1" "truncated" L1="$dir/truncated.elf"
says "truncated L1, EFI program" "truncated" L1="$dir/truncated.elf" BOOT=uefi
says "truncated Linux" "truncated" L1="$dir/half-linux.elf"
says "Linux without Nestling" "bare=on takes a multiboot image, and L1 is one of another kind (Linux" \
	L1="$dir/whole-linux.elf" L0CMDLINE=bare=on
says "empty L1" "L1's file is empty" L1="$dir/empty.elf"
for image in text zero; do
	says "L1 of no known format: $image" "L1's file has no known format" L1="$dir/$image.elf"
done
for image in rom nowhere high; do
	says "L1 wants memory that is not free: $image" "memory is not free" L1="$dir/$image.elf"
done
done_testing
