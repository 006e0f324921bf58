#!/bin/bash
# "Everything": images bare and on Nestling with resets between, and NESTLING.TXT on the stick: by the
# menu of a stick, with images that hang, scribble over the report or are not there, and with a stick
# that cannot be written or is full.
. "$(dirname "$0")/everything.sh"

export REBOOT=1 MEM=128M
watchdog=ICH9-LPC.noreboot=false # the strap that q35 has otherwise

# What a bare image begins with: registers as the firmware left them, or as multiboot has them.
tiny_image traces 0x100000 $'mov ecx, 0x277\nrdmsr\ncmp eax, 0x00070406\njne bad\ncmp edx, 0x00070406\njne bad
mov ecx, 0xc0000080\nrdmsr\ntest eax, eax\njnz bad\nmov eax, cr4\ntest eax, eax\njnz bad
mov eax, cr0\ncmp eax, 0x11\njne bad\nmov dx, 0xf4\nxor eax, eax\nout dx, al\nbad: mov dx, 0xf4\nmov al, 3\nout dx, al'
run "bare=on" BOOT=direct L0CMDLINE=bare=on L1="$dir/traces.elf"
ok "$status" "bare=on: L0 leaves no trace in PAT, EFER and control registers"

images=$BUILD/release/guest
pae=$images/pae.elf

# The stick's own menu: GRUB's entry starts the run, and BootNext goes on with it.
# stress32 writes to all that the map calls reserved, but for where its own report is; and paging.roots
# ends points while other tables are current.
EVERYTHING='pae.elf+filter=*.roots,svm64.elf+filter=*.bases,stress32.elf+filter=stress.places' boot/grub/make-image \
	"$dir/stick" "$BUILD/release/nestling.bin" "$BUILD/release/nestling.efi" "$pae" "$images/svm64.elf" \
	"$images/stress32.elf"
everything "a stick" a MEM=256M BOOT=stick-efi STICK_FLAGS=snapshot=off
has "the report has the machine, each step, and what differs" '=== Nestling: everything' \
	'firmware: EDK II' 'processor: AuthenticAMD' 'SVM: revision 1' 'APIC: xAPIC' 'MTRR: capabilities' \
	'memory: 0-' 'cpuid: 80000001 00: ' \
	'=== Step 1 of 6: pae.elf, bare' 'ok 1 - ' '1..' '--- good: ' \
	'=== Step 2 of 6: pae.elf, on Nestling' 'ok 1 - ' '--- good: ' '--- 0 lines differ' \
	'=== Step 3 of 6: svm64.elf, bare' '--- good: ' \
	'=== Step 4 of 6: svm64.elf, on Nestling' '--- good: ' '--- 0 lines differ' \
	'=== Step 5 of 6: stress32.elf, bare' '--- good: ' \
	'=== Step 6 of 6: stress32.elf, on Nestling' '--- good: ' '--- 0 lines differ' \
	'=== Summary' 'pae.elf ' 'svm64.elf ' 'stress32.elf '
[ "$(grep -aoE 'BdsDxe: starting Boot4E53|bare: L1 by' "$log" | sort | uniq -c | tr -s ' \n' ' ')" = \
	" 6 BdsDxe: starting Boot4E53 3 bare: L1 by " ]
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
# A machine whose memory ends where the first region would begin; and there a stick that takes no state.
alone='no memory for reports is free where they are looked for after a reset: they come on the serial port only'
volume 16M 'everything=pae.elf+filter=pae.b*' "$pae"
everything "no place for reports" '' BOOT=uefi MEM=64M
[ "$(grep -acF "$alone" "$log")" = 3 ] && [ "$(grep -ac '^1..2' "$log")" = 2 ]
ok $? "no place for reports: each start says so in one line, and the images run and report on the serial port"
has "no place for reports: and so does the stick" '=== The machine' "--- $alone" \
	'=== Step 1 of 2: pae.elf, bare' '--- LOST: ' '=== Step 2 of 2: pae.elf, on Nestling' '--- LOST: ' '=== Summary'
everything "no place, and a stick that cannot be written" '' BOOT=uefi MEM=64M STICK_FLAGS=if=virtio,readonly=on
says_line "no place, and a stick that cannot be written" \
	'error: the run is lost: the stick cannot be written, and memory has no place; use a stick that can be written'
[ "$(grep -ac '^1..2' "$log")" = 1 ]
ok $? "no place, and a stick that cannot be written: and it does not begin for ever"
[ "$failed" != 0 ] || rm -f "$LOGS/$prefix"-*.report
done_testing
