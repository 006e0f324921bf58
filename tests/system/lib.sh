# shellcheck shell=bash
# What the system tests share: TAP points, runs of tests/run with their output kept when a test
# fails, and the comparison of an image's points under Nestling with those on the bare machine.
# A test sources it, and ends with done_testing.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export BUILD=${BUILD:-build}
LOGS=$BUILD/test-logs
RUN_TIMEOUT=${RUN_TIMEOUT:-120} # seconds; what a run takes is a tenth of that
mkdir -p "$LOGS"

points=0
failed=0
prefix=$(basename "$0" .t)

# ok STATUS NAME: one point; a log that is named by the variable log stays when it fails.
ok() {
	points=$((points + 1))
	if [ "$1" = 0 ]; then
		echo "ok $points - $2"
		return
	fi
	echo "not ok $points - $2"
	failed=$((failed + 1))
	if [ -n "${log:-}" ]; then
		log_failed=1
		echo "# its output: $log"
	fi
}

done_testing() {
	forget_log
	rm -f "$LOGS/$prefix-bare.tap"
	echo "1..$points"
	[ "$failed" = 0 ]
	exit
}

# Removes the last run's output unless a point about it failed.
forget_log() {
	[ -z "${log:-}" ] || [ "${log_failed:-0}" = 1 ] || rm -f "$log" "$log.runner"
	log=
	log_failed=0
}

# Starts a new log, $LOGS/TEST-NAME.log.
new_log() {
	forget_log
	log=$LOGS/$prefix-$(tr -c 'A-Za-z0-9.\n-' _ <<<"$1").log
	: >"$log"
}

# run NAME VARIABLE=VALUE...: tests/run to its end; status, log and log.runner (the runner's words).
# Once more where QEMU took an exit while L0 ran: rare, and QEMU's own (docs/world-switch.md).
run() {
	local name=$1
	shift
	for _ in once again; do
		new_log "$name"
		env LOG="$log" TIMEOUT="$RUN_TIMEOUT" "$@" tests/run </dev/null >/dev/null 2>"$log.runner"
		status=$?
		grep -qaF "which is L0's own state" "$log" || break
		echo "# TODO qemu: an exit was taken while L0 ran: $name"
	done
	[ "$status" = 0 ] || sed 's/^/# /' "$log.runner"
}

# A directory of the test's own, $dir, which goes when the test ends.
temporary_dir() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/nestling.XXXXXX") || exit 1
	trap 'rm -rf "$dir"' EXIT
}

# tiny_image NAME ADDRESS CODE: $dir/NAME.elf, a multiboot image that wants to be loaded at the
# address and then runs the lines of assembly.
tiny_image() {
	cat >"$dir/$1.asm" <<-EOF
		bits 32
		org $2
		base:
		dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), base, base, 0, 0, entry
		entry:
		$3
		cli
		hlt
	EOF
	nasm -f bin -o "$dir/$1.elf" "$dir/$1.asm"
}

# For tiny_image: ESI -> the entry of a multiboot module that is Nestling. Moves it to where it was linked, and finds its
# header, which has the entry: jmp dword [esi + 28].
# shellcheck disable=SC2034 # for the tests
move_nestling="
		mov	ecx, [esi + 4]
		mov	esi, [esi]
		sub	ecx, esi
		mov	edi, 0x100000
		cld
		rep movsb
		mov	esi, 0x100000
	.header: add	esi, 4
		cmp	dword [esi], 0x1badb002
		jne	.header"

# The same: EAX = the first range of QEMU's VGA, which is PCI 0:1.0.
# shellcheck disable=SC2034
find_vga="
		mov	eax, 0x80000810
		mov	dx, 0xcf8
		out	dx, eax
		mov	dl, 0xfc
		in	eax, dx
		and	eax, ~15"

# The lines of TAP in a log, without the carriage returns of a serial line.
tap_of() {
	tr -d '\r' <"$1" | grep -aE '^(TAP version|(not )?ok [0-9]|1\.\.[0-9]|Bail out!)'
}

# tap_whole FILE: a plan, exactly as many points, and no failed one that is not TODO.
tap_whole() {
	awk '
		/^1\.\./ { plans++; plan = substr($0, 4) + 0 }
		/^(not )?ok / { points++ }
		/^not ok / && !/ # TODO / { print "# " $0; bad = 1 }
		/^Bail out!/ { print "# " $0; bad = 1 }
		END {
			if (plans != 1 || points != plan || plan == 0) {
				printf "# %d plans, the last of %d points; %d points came\n", plans, plan, points
				bad = 1
			}
			exit bad
		}' "$1"
}

# tap_same BARE NESTED: line by line the same points. What the bare emulator alone does not do as
# the manual says is marked "# TODO qemu:" (bochs) there, and may be as the manual says under
# Nestling. The reverse is a difference.
tap_same() {
	awk -v nested="$2" '
		function difference(a, b) {
			print "# bare:     " a
			print "# Nestling: " b
			bad = 1
		}
		{
			bare = $0
			if ((getline line < nested) <= 0)
				line = "(nothing)"
			if (line == bare)
				next
			plain = bare
			if (sub(/ # TODO (qemu|bochs): .*/, "", plain)) {
				sub(/^not ok/, "ok", plain)
				if (line == plain)
					next
			}
			difference(bare, line)
		}
		END {
			while ((getline line < nested) > 0)
				difference("(nothing)", line)
			exit bad
		}' "$1"
}

# image_passes NAME VARIABLE=VALUE...: the image ends with success and its TAP is whole; where
# $bare_tap names a file, its points are those of the bare machine, too.
image_passes() {
	local name=$1 tap
	run "$@"
	ok "$status" "$name: the image says success"
	tap=$log.tap
	tap_of "$log" >"$tap"
	tap_whole "$tap"
	ok $? "$name: every point came, and none failed"
	if [ -n "${bare_tap:-}" ]; then
		tap_same "$bare_tap" "$tap"
		ok $? "$name: the same points as on the bare machine"
	fi
	rm -f "$tap"
}

# bare_passes NAME VARIABLE=VALUE...: the same on the bare machine; its points are in $bare_tap then.
bare_passes() {
	bare_tap=
	image_passes "$@" BARE=1
	bare_tap=$LOGS/$prefix-bare.tap
	tap_of "$log" >"$bare_tap"
}

# image_everywhere IMAGE CPU [CMDLINE]: bare first, then under Nestling by every way to boot.
image_everywhere() {
	export L1=$1 CPU=$2 CMDLINE=${3:-}
	bare_passes bare
	image_passes direct BOOT=direct
	image_passes "direct, strict" BOOT=direct STRICT=1
	image_passes "GRUB from BIOS" BOOT=grub
	image_passes "GRUB from UEFI" BOOT=grub-efi
	image_passes "EFI program" BOOT=uefi
}

# shadowed NAME IMAGE [CMDLINE [L0CMDLINE]]: bare on a processor without nested paging; then under
# Nestling that does not use what it has. $bare_tap stays.
shadowed() {
	local name=$1
	export L1=$2 CMDLINE=${3:-} BOOT=direct MEM=128M
	bare_passes "$name, bare" CPU=max,npt=off
	image_passes "$name, npt=off" CPU=max L0CMDLINE="npt=off ${4:-}"
	image_passes "$name, npt=off, strict" CPU=max L0CMDLINE="npt=off ${4:-}" STRICT=1
}

# says NAME TEXT VARIABLE=VALUE...: the machine writes a line with the text, and goes on to exist:
# it halts, or the firmware runs on. The run is ended after $linger seconds.
linger=1
says() {
	local name=$1 text=$2 runner i=0
	shift 2
	new_log "$name"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" "$@" tests/run </dev/null >/dev/null 2>"$log.runner" &
	runner=$!
	# Any error will do to end the wait: no other will come after it.
	while kill -0 "$runner" 2>/dev/null && ! grep -qaF 'nestling: error: ' "$log"; do
		sleep 0.2
	done
	sleep 0.2 # for the rest of the line
	grep -qaF -- "$text" "$log"
	ok $? "$name: says \"$text\""
	while [ "$i" -lt $((linger * 5)) ] && kill -0 "$runner" 2>/dev/null; do
		sleep 0.2
		i=$((i + 1))
	done
	kill -0 "$runner" 2>/dev/null
	ok $? "$name: and the machine neither resets nor ends"
	[ "$(tr -d '\r' <"$log" | grep -acF 'nestling: error: ')" = 1 ]
	ok $? "$name: it is the only error"
	kill "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
}

# says_in_firmware NAME TEXT VARIABLE=VALUE...: the same on UEFI's console, and the firmware goes on.
says_in_firmware() {
	linger=3
	says "$@"
	linger=1
	grep -qaE 'BdsDxe: (failed to start|loading)|Press .*ESC|Shell>' \
		<(sed -n '/nestling: error: /,$p' "$log")
	ok $? "$1: and the firmware goes on"
}
