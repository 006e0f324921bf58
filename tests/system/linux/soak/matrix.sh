# shellcheck shell=bash
# One of Debian's kernels for long: 1, 2 and 4 processors, nested paging or not, both builds, each
# with every part under load. ROUNDS and MEMORY (MiB) say how much.
RUN_TIMEOUT=${RUN_TIMEOUT:-1800}
. "$(dirname "${BASH_SOURCE[0]}")/../runs.sh"

rounds=${ROUNDS:-40}
memory=${MEMORY:-320}

# matrix KERNEL
matrix() {
	local n npt strict
	for n in 1 2 4; do
		linux_bare "$1, $n processors, bare" "$1" "$every_part" BARE=1 SMP="$n"
		for npt in on off; do
			for strict in 0 1; do
				linux_runs "$1, $n processors, npt=$npt, STRICT=$strict" "$1" "$every_part" \
					BOOT=direct SMP="$n" STRICT="$strict" L0CMDLINE=npt="$npt"
			done
		done
	done
	done_testing
}
