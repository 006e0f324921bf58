#!/bin/bash
# "Everything" where a reset clears memory: each start is a QEMU of its own, and only the flash with the
# firmware's variables and the stick remain. What fits of a report comes by the variables, which are gone
# afterwards; odd ones are named, and a store that is half full is left alone. As on machines, only SMM
# can write to the store; everything.t has a firmware that writes it by itself.
. "$(dirname "$0")/everything.sh"

export MEM=128M BOOT=uefi SMM=1 STICK=$dir/stick VARS=$dir/vars
ours=b13dbe4b0d21394fb3d1f22d3612eea3 # boot/efi/variables.h
images=$BUILD/release/guest

# start NAME: the machine up to its next reset, or to the last line of all; $said has what was said since
# the first start.
start() {
	local i=0 runner
	new_log "$1"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" tests/run </dev/null >/dev/null 2>"$log.runner" &
	runner=$!
	while kill -0 "$runner" 2>/dev/null && ! grep -qaF 'press a key to reset' "$log"; do
		sleep 0.2
		i=$((i + 1))
	done
	kill "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
	cat "$log" >>"$said"
}

# variables: those of ours that are in the flash.
variables() { "$BUILD/vars" "$VARS" list "$ours"; }

# A report that an image writes as the library does, of a point that failed and far too many of them.
tiny_image fails 0x100000 $'mov edi, 0x4000000\nmov eax, 0x811c9dc5\nxor ecx, ecx
next: movzx edx, byte [text + ecx]\nmov [edi + 0x1000 + ecx], dl\nxor al, dl\nimul eax, eax, 0x01000193\ninc ecx
cmp ecx, text_end - text\njb next\nmov [edi + 16], ecx\nmov [edi + 20], eax\nmov dword [edi + 24], 2
cmp dword [edi + 40], 0\nje reset\nmov ebx, 0x41e0000\njmp ebx\nreset: mov dx, 0xcf9\nmov al, 6\nout dx, al\njmp $
text: db "ok 1 - a: b", 10, "not ok 2 - a: c", 10, "# why", 10
times 300 db "not ok 3 - ", 27, "a line of many: the variables have no room for them", 10
db "1..302", 10\ntext_end:'

volume 16M 'everything=pae.elf+filter=pae.b*,long.elf+levels=5+filter=long.b*,fails.elf' \
	"$images/pae.elf" "$images/long.elf" "$dir/fails.elf"
cp "${OVMF:-/usr/share/OVMF}/OVMF_VARS_4M.fd" "$VARS"
"$BUILD/vars" "$VARS" put "$ours" Odd 3
"$BUILD/vars" "$VARS" put "$ours" Report5 2000
said=$dir/said
start "first"
[ "$(variables | grep -c '^Report0 ')" = 1 ]
ok $? "what fits of a good report is in one variable"
for step in 2 3 4 5; do
	start "step $step"
done
start "step 6"
[ "$(variables | grep -c '^Report[0-7] ')" = 8 ] && [ "$(variables | awk '$2 > 1024' | wc -l)" = 0 ]
ok $? "a long one is in 8 variables of 1 KiB at most"
start "last"
take_report
grep -qaF 'press a key to reset' "$log"
ok $? "the run comes to its end"
has "verdicts and counts come by the variables" \
	'=== Step 1 of 6: pae.elf, bare' '--- nothing was left in memory' '--- good: 2 points, 0 failed' \
	'=== Step 2 of 6: pae.elf, on Nestling' '--- nothing was left in memory' '--- good: 2 points, 0 failed' \
	'=== Step 3 of 6: long.elf, bare' '--- good: 3 points, 0 failed' \
	'=== Step 4 of 6: long.elf, on Nestling' '--- good: 3 points, 0 failed' '=== Step 5 of 6'
has "and so do points that failed, as many as fit" \
	'=== Step 5 of 6: fails.elf, bare' 'not ok 2 - a: c' '# why' 'not ok 3 - ?a line of many' \
	'# more lines than fit: ' '--- NOT GOOD: 302 points, 301 failed' \
	'=== Step 6 of 6: fails.elf, on Nestling' 'not ok 2 - a: c' '--- NOT GOOD: 302 points, 301 failed' \
	'=== Summary'
has "odd variables are named" 'variable "Odd" with our GUID holds no report' '=== Step 2'
has "and so are those with a name of ours" 'variable "Report5" with our GUID holds no report' '=== Step 2'
[ -z "$(variables)" ]
ok $? "in the end no variable is left"

volume 16M 'everything=fails.elf' "$dir/fails.elf"
cp "${OVMF:-/usr/share/OVMF}/OVMF_VARS_4M.fd" "$VARS"
"$BUILD/vars" "$VARS" fill 55
start "half full"
says_line "a store that is half full" "the firmware's variables are left alone: its store of variables has less"
[ -z "$(variables)" ]
ok $? "a store that is half full: nothing is written to it"
[ "$failed" != 0 ] || rm -f "$LOGS/$prefix"-*.report
done_testing
