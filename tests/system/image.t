#!/bin/bash
# The file of `make image`: as a stick and as a CD, on BIOS and UEFI, by GRUB's first entry and by
# the entry that starts the EFI program from its partition.
. "$(dirname "$0")/lib.sh"

for boot in stick cd stick-efi cd-efi; do
	image_passes "$boot" BOOT=$boot
done

# The menu comes on COM1, too: u chooses the EFI program.
for boot in stick-efi cd-efi; do
	new_log "$boot, EFI program"
	fifo=$LOGS/$prefix-keys
	rm -f "$fifo"
	mkfifo "$fifo"
	LOG=$log TIMEOUT=$RUN_TIMEOUT BOOT=$boot tests/run <"$fifo" >/dev/null 2>"$log.runner" &
	runner=$!
	exec 4>"$fifo"
	until grep -qa 'EFI program' "$log" || ! kill -0 $runner 2>/dev/null; do
		sleep 0.2
	done
	echo -n u >&4
	wait $runner
	status=$?
	exec 4>&-
	rm -f "$fifo"
	ok $status "$boot, EFI program: the image says success"
	tap_of "$log" >"$log.tap"
	tap_whole "$log.tap"
	ok $? "$boot, EFI program: every point came, and none failed"
	rm -f "$log.tap"
	! grep -qa "Booting .Nestling with" "$log"
	ok $? "$boot, EFI program: GRUB did not boot an entry of its own"
done
done_testing
