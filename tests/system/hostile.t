#!/bin/bash
# An L1 that means harm: what ends the machine ends it as it does bare, and L0 says why where it had
# a hand in it; after all else every processor answers. HOSTILE_SENDS makes the storms longer, as
# make soak has them.
. "$(dirname "$0")/lib.sh"

export BOOT=direct MEM=128M
sends=${HOSTILE_SENDS:+sends=$HOSTILE_SENDS}

# resets NAME CASE TEXT VARIABLE=VALUE...: bare and under Nestling the machine resets, and the log has
# the text.
resets() {
	local name=$1 case=$2 text=$3
	shift 3
	for bare in 1 0; do
		new_log "$name $bare"
		env LOG="$log" TIMEOUT=20 CMDLINE="cpus=$SMP case=$case" BARE=$bare "$@" \
			tests/run </dev/null >/dev/null 2>"$log.runner"
		if [ "$bare" = 1 ] && [ "$case" = "triple by=l2" ]; then
			# QEMU's triple fault exits to L1, whatever L1 intercepts.
			grep -qF 'the image reports failure' "$log.runner"
			ok $? "$name, bare: the machine resets # TODO qemu: SHUTDOWN always exits"
			continue
		fi
		grep -qF 'the machine was reset' "$log.runner"
		ok $? "$name, bare=$bare: the machine resets"
		! grep -qaE '^(not )?ok |panic|Bail out' "$log"
		ok $? "$name, bare=$bare: and nothing comes after it"
	done
	[ -z "$text" ] || grep -qaF -- "$text" "$log"
	ok $? "$name: the log says \"$text\""
}

# halts NAME VARIABLE=VALUE...: the image says that everything halts, and the machine goes on to be.
halts() {
	local name=$1 runner i=0
	shift
	new_log "$name"
	env LOG="$log" TIMEOUT=20 CMDLINE="cpus=$SMP case=halt" "$@" tests/run </dev/null \
		>/dev/null 2>"$log.runner" &
	runner=$!
	while [ "$i" -lt 50 ] && ! grep -qaF 'every processor halts' "$log"; do
		sleep 0.2
		i=$((i + 1))
	done
	grep -qaF 'every processor halts' "$log"
	ok $? "$name: every processor halts"
	sleep 1
	kill -0 "$runner" 2>/dev/null && ! grep -qaE '^(not )?ok |panic' "$log"
	ok $? "$name: and the machine neither resets nor ends"
	kill "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
}

export SMP=2 STRICT=1 L1=hostile64
shutdown="resetting the machine"
for case in triple "triple by=ap" "triple by=l2"; do
	resets "$case" "$case" "shutdown of L"
	for part in "runs, GIF" "VMCB01: exit" "VMCB02: exit" "exits of L1"; do
		grep -qaF -- "$part" "$log"
		ok $? "$case: the report has \"$part\""
	done
done
resets "triple, npt=off" triple "shutdown of L1: $shutdown" L1=hostile32 L0CMDLINE=npt=off CPU=max
for case in init-first "init-first by=ap" init-all; do
	resets "$case" "$case" "INIT of the boot processor: $shutdown"
done
for case in cf9 "cf9 by=ap" "cf9 by=l2" keyboard "keyboard by=l2" port92; do
	resets "$case" "$case" ""
done
halts "halt, bare" BARE=1
halts halt
halts "halt, npt=off" L0CMDLINE=npt=off CPU=max

# slips NAME VARIABLE=VALUE...: by what L1 may do QEMU takes an exit while L0 runs (docs/world-switch.md),
# and the report names it; or a mended QEMU does not. It may also hang, or reset at once: a few times, then.
slips() {
	local name=$1
	shift
	for _ in 1 2 3 4 5; do
		new_log "$name"
		env LOG="$log" TIMEOUT=40 CMDLINE="cpus=$SMP fpu=500000" "$@" tests/run </dev/null \
			>/dev/null 2>"$log.runner" && break
		grep -qaF "which is L0's own state" "$log" && break
		false
	done
	ok $? "$name: L1 goes on, or the report names QEMU's exit while L0 ran"
}
image_passes "FPU, bare" BARE=1 CMDLINE="cpus=2 fpu=20000"
slips "FPU"

# L1 asks four times by ports and an L2 twice; by AMD's FCH two and one, and by addresses in memory that
# a second FADT has, three and one. The FADT, whose checksum QEMU makes: X_PM1a_CNT_BLK, of 16 bits, and
# SLEEP_CONTROL_REG, of 8, are registers of the HPET.
temporary_dir
zeros() { head -c "$1" /dev/zero; }
{
	zeros $((172 - 36))
	printf '\x00\x10\x00\x02\x28\x01\xd0\xfe\x00\x00\x00\x00'
	zeros $((244 - 184))
	printf '\x00\x08\x00\x01\x48\x01\xd0\xfe\x00\x00\x00\x00'
	zeros $((276 - 256))
} >"$dir/fadt"
sleeps_not() {
	image_passes "$@"
	[ "$(grep -acF 'S3: refused' "$log")" = 13 ]
	ok $? "$1: S3 is refused 13 times, and logged"
	[ "$(grep -acF "moves ACPI's registers" "$log")" = 1 ]
	ok $? "$1: that the FCH's PM1 control is not moved is logged once"
}

export CMDLINE="cpus=2 s3=memory" QEMUFLAGS="-acpitable sig=FACP,data=$dir/fadt"
sleeps_not S3
sleeps_not "S3, npt=off" L1=hostile32 L0CMDLINE=npt=off CPU=max
export QEMUFLAGS=

# SMIs, under firmware that has a handler for every processor, and waits for all in it. Each run finds the
# variable that the one before has left in the firmware's store.
echo "# SMIs with 4 processors are for make soak: 4 that wait for each other share the CPUs of the host"
export SMM=1 BOOT=grub-efi MEM=256M VARS=$dir/vars.fd
boot=0
# smis FUNCTION NAME VARIABLE=VALUE...
smis() {
	boot=$((boot + 1))
	"$@" CMDLINE="cpus=$SMP smis=1 boot=$boot filter=hostile.smi*"
}
for cpus in 1 2; do
	export SMP=$cpus
	smis bare_passes "SMIs, $cpus processors, bare"
	smis image_passes "SMIs, $cpus processors"
done
smis image_passes "SMIs, npt=off" L0CMDLINE=npt=off CPU=max
export SMM=0 BOOT=direct MEM=128M VARS='' SMP=2 bare_tap=''

export CMDLINE="cpus=2 $sends"
bare_passes "64 bits, bare"
image_passes "64 bits, strict"
[ "$(grep -acF 'INIT or STARTUP by an I/O APIC or a message is refused' "$log")" = 1 ]
ok $? "64 bits, strict: INIT by an I/O APIC is logged once"
bare_passes "32 bits, bare" L1=hostile32
image_passes "32 bits, npt=off" L1=hostile32 L0CMDLINE=npt=off CPU=max
export SMP=1 CMDLINE=cpus=1
bare_passes "one processor, bare"
image_passes "one processor"
export SMP=4 CMDLINE="cpus=4 filter=hostile.storm* $sends" bare_tap=
image_passes "four processors" STRICT=0

# Bochs holds INIT back and has #AC; bare, the endless #AC ends it.
export SMP=2 EMU=bochs CPU=ryzen BOOT=grub CMDLINE="cpus=2 filter=hostile.init*"
bare_passes "INIT on Bochs, bare"
image_passes "INIT on Bochs"
bare_tap=
image_passes "loops on Bochs" CMDLINE="cpus=2 filter=hostile.loop"
done_testing
