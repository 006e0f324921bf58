# shellcheck shell=bash
# KVM as L1: jobs for runs.sh's Linux. What they say is made into TAP; its points must be those of the bare
# machine, where that can do it at all.
. "$(dirname "${BASH_SOURCE[0]}")/runs.sh"

# arch_of KERNEL: the programs' architecture.
arch_of() { case $1 in amd64) echo amd64 ;; *) echo i386 ;; esac; }

# said_points NAME: numbers the points in $said; those that are bare's are in $bare_tap. A script ends with "done".
said_points() {
	local tap=$log.tap
	tr -d '\r' <"$said" | awk '
		/^(not )?ok / { sub(/ok /, "ok " ++n " - "); print }
		/^done$/ { done = 1 }
		END { print done ? "1.." n : "Bail out! it did not come to its end" }' >"$tap"
	tap_whole "$tap"
	ok $? "$1: every point came, and none failed"
	if [ -n "${bare_tap:-}" ]; then
		tap_same "$bare_tap" "$tap"
		ok $? "$1: the same points as on the bare machine"
	fi
	! tr -d '\r' <"$log" | grep -aE 'Kernel panic|Oops|BUG:|unchecked MSR|soft lockup|kvm_spurious_fault'
	ok $? "$1: L1's kernel complains of nothing"
	# shellcheck disable=SC2154 # runs.sh has it
	grep -E '^# ' "$said" || :
	last_tap=$tap
}

# kvm_job NAME KERNEL QEMU VARIABLE=VALUE...: the job with its points; kvm_bare remembers them.
kvm_job() {
	linux_job "$@"
	said_points "$1"
	rm -f "$last_tap"
}

kvm_bare() {
	bare_tap=
	linux_job "$@" BARE=1
	said_points "$1"
	bare_tap=$LOGS/$prefix-bare.tap
	mv "$last_tap" "$bare_tap"
}

# vms_job KERNEL NPT WORDS...: in $job what runs run-vms with these words; NPT for kvm-amd: 1, 0 or "1 0".
vms_job() {
	local kernel=$1 npt=$2
	shift 2
	new_job
	mkdir -p "$job/bin"
	cp "$HYPERVISORS/vms/run-vms-$(arch_of "$kernel")" "$job/bin/run-vms"
	cat >"$job/job" <<-EOF
		if [ -e /sys/block/vda ] || modprobe -a virtio_pci virtio_blk; then
			[ ! -e /dev/vda ] || { mkswap /dev/vda >/dev/null && swapon /dev/vda; }
		fi
		for npt in $npt; do
			! grep -q '^kvm_amd' /proc/modules || modprobe -r kvm-amd
			modprobe kvm-amd npt=\$npt
			case \$(cat /sys/module/kvm_amd/parameters/npt) in 1 | Y) is=1 ;; *) is=0 ;; esac
			[ \$is = \$npt ] || echo -n "not "
			echo "ok npt=\$npt: kvm-amd has it so"
			run-vms $* | sed "s/ok /ok npt=\$npt: /"
		done
		echo "# swapped out: \$(sed -n 's/^pswpout //p' /proc/vmstat) pages"
		echo done
	EOF
}

# swap_disk: in $job_machine a disk for L1's swap.
swap_disk() {
	truncate -s 64M "$dir/swap.img"
	job_machine="-drive if=none,id=swap,format=raw,file=$dir/swap.img -device virtio-blk-pci,drive=swap"
}

# For Debian's QEMU in L1. -cpu host is what people say.
qemu_l2="qemu-system-x86_64 -accel kvm -cpu host -m 128M -nodefaults -no-user-config -display none -vga none \
-serial stdio -no-reboot"

# qemu_job KERNEL: in $job what Debian's QEMU is to run, a Linux of that name; the script is begun.
qemu_job() {
	local root=$dir/l2
	new_job
	mkdir -p "$job/l2"
	cp "$BUILD/linux/vmlinuz-$1" "$job/l2/vmlinuz"
	rm -rf "$root"
	mkdir -p "$root/bin"
	cp "$BUILD/linux/busybox-$(arch_of "$1")" "$root/bin/busybox"
	cp tests/system/hypervisors/vms/l2-init "$root/init"
	archive "$root" "$job/l2/initrd"
	cat >"$job/job" <<-EOF
		modprobe kvm-amd \${kvm:-}
		echo "# npt: \$(cat /sys/module/kvm_amd/parameters/npt)"
		say() { if [ "\$1" = 0 ]; then echo "ok \$2"; else echo "not ok \$2"; fi; }
		# linux NAME WORDS...: L2 boots to its user space, computes, and powers off.
		linux() {
			local name=\$1 cpus=\$2
			shift 2
			$qemu_l2 -kernel /l2/vmlinuz -initrd /l2/initrd -smp \$cpus \
				-append "console=ttyS0 quiet no_timer_check" "\$@" </dev/null >/tmp/\$name 2>&1
			grep '^L2: ' /tmp/\$name | tr -d '\r' >/tmp/\$name.said
			diff /tmp/\$name.said - <<-END
				L2: init, \$cpus processors
				\$(for cpu in \$(seq 0 \$((cpus - 1))); do echo "L2: on \$cpu       3 \$(seq 1 20000 | sha256sum)"; done)
				L2: file \$(seq 1 500000 | sha256sum)
				L2: done
			END
			set -- \$?
			[ "\$1" = 0 ] || sed 's/^/# /' /tmp/\$name | tail -20
			say \$1 "\$name: Linux of \$cpus processors as L2"
		}
	EOF
}

# qemu_job_ends: the script's last line.
qemu_job_ends() { echo 'echo done' >>"$job/job"; }
