#!/bin/bash
# The file of `make image`: as a stick and as a CD, on BIOS and UEFI, by GRUB's first entry and by
# those that start the EFI program from its partition, and the installed system on Nestling.
. "$(dirname "$0")/lib.sh"

# On BIOS the menu's time runs out.
for boot in stick cd; do
	image_passes "$boot" BOOT=$boot
done

# GRUB on UEFI cannot read every module that fits into base memory: boot/grub/make-image.
smallest=$(xorriso -indev "$BUILD/release/nestling.iso" -find /boot -name '*.elf' -exec lsdl -- 2>/dev/null |
	awk '{ print $5 }' | sort -n | head -1)
[ "${smallest:-0}" -gt $((640 * 1024)) ]
ok $? "no image fits into base memory"

# press NAME KEY VARIABLE=VALUE...: the menu comes on COM1, too, and there is the key pressed.
press() {
	local key=$2 fifo=$LOGS/$prefix-keys runner
	new_log "$1"
	shift 2
	rm -f "$fifo"
	mkfifo "$fifo"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" "$@" tests/run <"$fifo" >/dev/null 2>"$log.runner" &
	runner=$!
	exec 4>"$fifo"
	until grep -qa 'Everything' "$log" || ! kill -0 $runner 2>/dev/null; do
		sleep 0.2
	done
	echo -ne "$key" >&4
	wait $runner
	status=$?
	exec 4>&-
	rm -f "$fifo"
}

# chooses NAME BOOT KEY: an image passes then.
chooses() {
	local name=$1
	press "$name" "$3" BOOT="$2"
	ok $status "$name: the image says success"
	tap_of "$log" >"$log.tap"
	tap_whole "$log.tap"
	ok $? "$name: every point came, and none failed"
	rm -f "$log.tap"
}

# On UEFI each second of the menu's time costs several of the host's: return ends it, and u chooses
# the EFI program.
chained=/EndEntire # of the path that GRUB shows of what it starts
for boot in stick-efi cd-efi; do
	chooses "$boot" $boot '\r'
	! grep -qaF "$chained" "$log" && grep -qaF "nestling: " "$log"
	ok $? "$boot: GRUB itself booted Nestling"
	chooses "$boot, EFI program" $boot u
	grep -qaF "$chained" "$log"
	ok $? "$boot, EFI program: GRUB started it"
done

# An image that asks for no video mode finds VGA's text on BIOS, as without Nestling: the BIOS's mode 3,
# and nothing of pixels.
temporary_dir
tiny_image text 0x100000 '
		mov	al, 1
		cmp	byte [0x449], 3
		jne	.end
		test	dword [ebx], 1 << 12
		jz	.good
		cmp	byte [ebx + 109], 2
		jne	.end
	.good:	mov	al, 0
	.end:	out	0xf4, al'
boot/grub/make-image "$dir/stick" "$BUILD/release/nestling.bin" "$BUILD/release/nestling.efi" "$dir/text.elf"
press "an image of text" '\r' BOOT=stick STICK="$dir/stick" STICK_FLAGS=snapshot=on
ok "$status" "an image of text: it finds VGA's text"

# Another disk has what the firmware would start next: it runs with Nestling below.
truncate -s 8M "$dir/installed"
mformat -i "$dir/installed" -T 16384 -h 16 -s 63 :: && mmd -i "$dir/installed" ::/EFI ::/EFI/BOOT &&
	mcopy -i "$dir/installed" "$BUILD/release/chained.efi" ::/EFI/BOOT/BOOTX64.EFI &&
	mcopy -i "$dir/installed" "$BUILD/release/chained.efi" ::/
export QEMUFLAGS="-drive format=raw,file=$dir/installed"
for boot in stick-efi cd-efi; do
	chooses "$boot, the installed system" $boot b
	grep -qaF "1 processor, L1 by chain=" "$log"
	ok $? "$boot, the installed system: Nestling is below"
done
done_testing
