#!/bin/bash
# "Everything": images bare and on Nestling with resets between, and NESTLING.TXT on the stick: by the
# menu of a stick, with images that hang, scribble over the report or are not there, and with a stick
# that cannot be written or is full.
. "$(dirname "$0")/lib.sh"

temporary_dir
export REBOOT=1 MEM=128M
watchdog=ICH9-LPC.noreboot=false # the strap that q35 has otherwise

# fat_at FILE: the stick's FAT volume, as mtools name it: the whole file, or a partition of its GPT.
fat_at() {
	local start=0 entry
	if [ "$(dd if="$1" bs=1 skip=512 count=8 2>/dev/null)" = "EFI PART" ]; then
		for entry in 0 1 2 3; do
			start=$(od -An -t u8 -j $((1024 + entry * 128 + 32)) -N 8 "$1" | tr -d ' ')
			! mdir -i "$1@@$((start * 512))" ::/EFI >/dev/null 2>&1 || break
		done
	fi
	echo "$1@@$((start * 512))"
}

# everything NAME KEY VARIABLE=VALUE...: runs it to its last line, from $dir/stick; with a key, in
# GRUB's menu. Its report is in $report then, empty if there is none.
everything() {
	local name=$1 key=$2 runner i=0 fifo=$dir/keys
	shift 2
	new_log "$name"
	rm -f "$fifo"
	mkfifo "$fifo"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" STICK="$dir/stick" "$@" tests/run <"$fifo" >/dev/null 2>"$log.runner" &
	runner=$!
	exec 4>"$fifo"
	while kill -0 "$runner" 2>/dev/null && ! grep -qaF 'press a key to reset' "$log"; do
		if [ -n "$key" ] && grep -qaF 'EFI program' "$log"; then
			echo -ne "$key" >&4
			key=
		fi
		sleep 0.2
		i=$((i + 1))
	done
	grep -qaF 'press a key to reset' "$log"
	ok $? "$name: comes to its end"
	kill "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
	exec 4>&-
	report=$log.report
	rm -f "$report"
	mcopy -n -i "$(fat_at "$dir/stick")" ::/NESTLING.TXT "$report" 2>/dev/null || : >"$report"
}

# has NAME LINE...: the report has these lines, in this order.
has() {
	local name=$1 found=0 line number last=0
	shift
	for line; do
		number=$(tail -n +$((last + 1)) "$report" | grep -nF -m 1 -- "$line" | cut -d: -f1)
		if [ -z "$number" ]; then
			echo "# not in the report, or too early: $line"
			found=1
			break
		fi
		last=$((last + number))
	done
	ok $found "$name"
}

# says_line NAME TEXT: the screen, which is COM1's too, has it once or more.
says_line() {
	grep -qaF -- "$2" "$log"
	ok $? "$1: says \"$2\""
}

# volume SIZE WORDS IMAGE...: $dir/stick, a FAT volume with the EFI program and these files.
volume() {
	local size=$1
	echo "$2" >"$dir/nestling.cfg"
	shift 2
	rm -f "$dir/stick"
	truncate -s "$size" "$dir/stick"
	mformat -i "$dir/stick" -T $(($(stat -c %s "$dir/stick") / 512)) -h 16 -s 63 :: &&
		mmd -i "$dir/stick" ::/EFI ::/EFI/BOOT &&
		mcopy -i "$dir/stick" "$BUILD/release/nestling.efi" ::/EFI/BOOT/BOOTX64.EFI &&
		mcopy -i "$dir/stick" "$dir/nestling.cfg" "$@" ::/EFI/BOOT
}

# What a bare image begins with: registers as the firmware left them, or as multiboot has them.
tiny_image traces 0x100000 $'mov ecx, 0x277\nrdmsr\ncmp eax, 0x00070406\njne bad\ncmp edx, 0x00070406\njne bad
mov ecx, 0xc0000080\nrdmsr\ntest eax, eax\njnz bad\nmov eax, cr4\ntest eax, eax\njnz bad
mov eax, cr0\ncmp eax, 0x11\njne bad\nmov dx, 0xf4\nxor eax, eax\nout dx, al\nbad: mov dx, 0xf4\nmov al, 3\nout dx, al'
run "bare=on" BOOT=direct L0CMDLINE=bare=on L1="$dir/traces.elf"
ok "$status" "bare=on: L0 leaves no trace in PAT, EFER and control registers"

images=$BUILD/release/guest
pae=$images/pae.elf

# The stick's own menu: GRUB's entry starts the run, and BootNext goes on with it.
EVERYTHING='pae.elf+filter=pae.b*,svm64.elf+filter=*.bases' boot/grub/make-image "$dir/stick" \
	"$BUILD/release/nestling.bin" "$BUILD/release/nestling.efi" "$pae" "$images/svm64.elf"
everything "a stick" a BOOT=stick-efi STICK_FLAGS=snapshot=off
has "the report has the machine, each step, and what differs" '=== Nestling: everything' \
	'firmware: EDK II' 'processor: AuthenticAMD' 'SVM: revision 1' 'APIC: xAPIC' 'MTRR: capabilities' \
	'memory: 0-' 'cpuid: 80000001 00: ' \
	'=== Step 1 of 4: pae.elf, bare' 'ok 1 - ' '1..' '--- good: ' \
	'=== Step 2 of 4: pae.elf, on Nestling' 'ok 1 - ' '--- good: ' '--- 0 lines differ' \
	'=== Step 3 of 4: svm64.elf, bare' '--- good: ' \
	'=== Step 4 of 4: svm64.elf, on Nestling' '--- good: ' '--- 0 lines differ' \
	'=== Summary' 'pae.elf ' 'svm64.elf '
[ "$(grep -aoE 'BdsDxe: starting Boot4E53|bare: L1 by' "$log" | sort | uniq -c | tr -s ' \n' ' ')" = \
	" 4 BdsDxe: starting Boot4E53 2 bare: L1 by " ]
ok $? "the firmware started each next step by itself, and half of them are bare"
! mdir -i "$(fat_at "$dir/stick")" ::/NESTLING.STA >/dev/null 2>&1
ok $? "and the state is gone from the stick"

# What an image can do to the run: hang with IF=0, end the machine without a report, overwrite it.
tiny_image hang 0x100000 $'cli\njmp $'
tiny_image scribble 0x100000 $'mov edi, 0x4000000\nmov ecx, 0x80000\nmov eax, 0x55aa1234\nrep stosd
mov dx, 0xcf9\nmov al, 6\nout dx, al'
volume 16M 'everything=hang.elf,nothing.elf,scribble.elf limit=8' "$dir/hang.elf" "$dir/scribble.elf"
everything "bad images" '' BOOT=uefi QEMUFLAGS="-global $watchdog"
says_line "an image that hangs" 'the watchdog (ICH9 TCO) resets the machine after 8 seconds'
has "what cannot be had is noted, and the run goes on" \
	'=== Step 1 of 6: hang.elf, bare' '--- UNFINISHED: 0 points' \
	'=== Step 2 of 6: hang.elf, on Nestling' '--- UNFINISHED: 0 points' \
	'=== Step 3 of 6: nothing.elf, bare' '--- NOT BEGUN: ' '=== Step 4 of 6' '--- NOT BEGUN: ' \
	'=== Step 5 of 6: scribble.elf, bare' '--- LOST: ' \
	'=== Step 6 of 6: scribble.elf, on Nestling' '--- LOST: ' '=== Summary'

# A WDRT table whose registers are memory: a watchdog that is found, and never comes.
printf '\0\x20\0\3\0\0\0\5\0\0\0\0\0\x20\0\3\4\0\0\5\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\1' >"$dir/wdrt"

# Sticks that take no report: one line, and the summary comes on the screen all the same.
volume 16M 'everything=pae.elf+filter=pae.b*' "$pae"
everything "a stick that cannot be written" '' BOOT=uefi STICK_FLAGS=if=virtio,readonly=on \
	QEMUFLAGS="-acpitable sig=WDRT,data=$dir/wdrt"
says_line "a watchdog by ACPI" 'the watchdog (WDRT) resets the machine after 600 seconds'
says_line "read only" 'cannot write NESTLING.TXT: the volume is write-protected; the run goes on without it'
says_line "read only" 'please take a picture of this screen'
grep -qaE 'pae.elf +good, 2 of 2 points +good, 2 of 2 points +0' "$log"
ok $? "read only: and the summary is on the screen"

volume 1440K 'everything=pae.elf+filter=pae.b*' "$pae"
head -c "$(mdir -i "$dir/stick" ::/ | awk '/bytes free/ { gsub(/[^0-9]/, ""); print }')" /dev/zero >"$dir/full"
mcopy -i "$dir/stick" "$dir/full" ::/
everything "a full stick" '' BOOT=uefi
says_line "full" 'cannot write NESTLING.TXT: the volume is full; the run goes on without it'
says_line "full" 'please take a picture of this screen'
[ "$failed" != 0 ] || rm -f "$LOGS/$prefix"-*.report
done_testing
