#!/bin/bash
# One figure: instructions from the start of Debian's QEMU, with KVM in L1, to the user space of a Linux that is L2,
# on the bare machine and on Nestling; and how many exits of L1 each exit of L2 costs. As bench.t it counts by
# -icount, and no processor has random numbers, so that it is the same each time.
RUN_TIMEOUT=${RUN_TIMEOUT:-3600}
. "$(dirname "$0")/../vms.sh"

LIMIT=${LIMIT:-1030} # thousandths of the bare machine's

qemu_job amd64
cat >>"$job/job" <<-EOF
	modprobe msr
	exits() { nestling-stat -1 2>/dev/null | awk -v of="\$1" -v but="\${2:-none}" '\$1 == of && \$2 !~ but { n += \$3 } END { print n + 0 }'; }
	hundredths() { awk '{ print int(\$1 * 100) }' /proc/uptime; }
	l1=\$(exits L1) l2=\$(exits L2) saves=\$(exits L1 '^(VMLOAD|VMSAVE)')
	from=\$(hundredths)
	$qemu_l2 -kernel /l2/vmlinuz -initrd /l2/initrd -append "console=ttyS0 quiet no_timer_check" </dev/null 2>/tmp/errors |
		while read -r line; do
			case \$line in *init,*) echo "took \$((\$(hundredths) - from))" ;; esac
		done
	l1=\$((\$(exits L1) - l1)) l2=\$((\$(exits L2) - l2)) saves=\$((\$(exits L1 '^(VMLOAD|VMSAVE)') - saves))
	echo "exits \$l1 \$saves \$l2"
	sed "s/^/# /" /tmp/errors
	echo done
EOF
# shellcheck disable=SC2034 # runs.sh has it
job_machine="-icount shift=0,sleep=off -seed 1 -rtc base=2024-01-01,clock=vm"

# took NAME VARIABLE=VALUE...: in $took, in hundredths of a second, each 10 million instructions.
took() {
	linux_job "$1" amd64 amd64 "${@:2}"
	took=$(sed -n 's/^took //p' "$said" | tr -d '\r')
	[ -n "$took" ]
	ok $? "$1: L2 comes to its user space"
	grep "^# " "$said" | tr -d "\r"
	[ -n "$took" ] || done_testing # no figure without it
}

# G HUNDREDTHS: as instructions.
G() { printf '%d.%02d G' $(($1 / 100)) $(($1 % 100)); }

took "bare" BARE=1 CPU=max,-rdrand,-rdseed
bare=$took
took "Nestling" BOOT=direct CPU=max,-rdrand,-rdseed
nestling=$took
echo "# instructions to L2's user space: $(G "$bare") bare, $(G "$nestling") on Nestling"
# Without VMLOAD and VMSAVE: what is left where the processor has them virtual, which TCG has not.
tr -d '\r' <"$said" | awk '/^exits / {
	printf "# exits of L1: %d for %d of L2: %.2f each; but for VMLOAD and VMSAVE %.2f\n", $2, $4, $2 / $4, $3 / $4 }'
[ $((nestling * 1000)) -le $((bare * LIMIT)) ]
ok $? "Nestling needs $((nestling * 1000 / bare)) thousandths of what the bare machine needs"
done_testing
