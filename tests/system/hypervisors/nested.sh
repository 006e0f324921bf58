# shellcheck shell=bash
# Nestling on Nestling: the images, and Linux with its KVM, so many deep (tests/run, DEPTH).
. "$(dirname "${BASH_SOURCE[0]}")/../linux/runs.sh"
export BOOT=direct STRICT=1 MEM=512M
RUN_TIMEOUT=600 # seconds; a run takes a twentieth of that

# shellcheck disable=SC2034 # for the tests
all_images="pae pse nopse long svm32 svm64 hardware32 hardware64 counters32 counters64
	startup32 startup64 smp32 smp64 stress32 stress64 hostile32 hostile64 chaos32 chaos64"

# nested DEPTH IMAGE VARIABLE=VALUE...: the image passes on so many Nestlings, and each says how deep it is.
nested() {
	local name="$2, depth $1${3:+, ${*:3}}" words="" smp=1 depth=$1 image=$2 level
	case $image in
	startup*) words=cpus=2 smp=2 ;;
	smp*) words="edits=4 rounds=1" smp=2 ;;
	stress*) words=rounds=256 ;;
	hardware*) words="filter=hardware.*" ;; # without cycles
	chaos*) words=runs=1500 ;;
	esac
	shift 2
	image_passes "$name" L1="$image" DEPTH="$depth" SMP=$smp CMDLINE="$words" "$@"
	for ((level = 2; level <= depth; level++)); do
		[ "$(grep -acF "on Nestling: this is number $level from the machine up" "$log")" = 1 ]
		ok $? "$name: number $level says that it is"
	done
}

# nested_linux DEPTH VARIABLE=VALUE...: Debian's kernel with L2s of its KVM, the same as bare.
nested_linux() {
	local name="Linux with its KVM, depth $1${2:+, ${*:2}}" depth=$1
	shift
	linux_runs "$name" amd64 processors,kvm DEPTH="$depth" "$@"
}

# costs DEPTH FILE: no row of `bench` costs more instructions than the file holds it to.
costs() {
	run "figures, depth $1" DEPTH="$1" STRICT=0 MEM=1G L1=bench64 CMDLINE=rounds=32 CPU=max,-rdrand,-rdseed \
		QEMUFLAGS="-icount shift=0,sleep=off -seed 1 -rtc base=2024-01-01,clock=vm"
	ok "$status" "figures, depth $1: the image says success"
	tr -d '\r' <"$log" | sed -n 's/^# bench \(.*\): min .* med /\1\t/p' >"$dir/figures"
	awk -F '\t' '
		NR == FNR { if (!/^#/) held[$2] = $1; next }
		{ found[$1] = 1; printf "# %7d, held to %7s: %s\n", $2, held[$1], $1 }
		!($1 in held) || $2 > held[$1] { bad = 1 }
		END {
			for (row in held)
				if (!found[row]) { print "# no row is called " row; bad = 1 }
			exit bad
		}' "$2" "$dir/figures"
	ok $? "figures, depth $1: no row costs more than $2 holds it to"
}
