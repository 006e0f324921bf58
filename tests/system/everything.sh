# shellcheck shell=bash
# What the tests of "Everything" share: sticks, runs to the last line, and looks into the report. A test
# sources it instead of lib.sh, and has a $dir then.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

temporary_dir

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
	take_report
}

# The stick's report, in $report; empty if there is none.
take_report() {
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
