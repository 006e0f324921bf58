#!/bin/bash
# Nestling on Debian's KVM, longer than under-kvm.t: more images, and plain Linux as L1, which must come to
# the same as KVM's own guest.
. "$(dirname "$0")/../kvm.sh"

kvm_emulated "on KVM" off 1 "$BUILD/strict/nestling.bin" svm64
KVM_SMP=2 kvm_emulated "on KVM, 2 processors" off 1 "$BUILD/strict/nestling.bin" "startup64 cpus=2"

# Linux as KVM's own guest, then on Nestling there. Of XSAVE KVM and TCG disagree, and Linux warns.
new_job
cp "$BUILD/linux/vmlinuz-amd64" "$BUILD/strict/nestling.bin" "$job/"
cp "$BUILD/linux/initrd-amd64" "$job/initrd.gz"
cat >"$job/job" <<-JOB
	modprobe kvm-amd nested=1
	words="console=ttyS0 quiet nokaslr no_timer_check TESTS=memory ROUNDS=1 MEMORY=8"
	guest() {
		echo "=== guest"
		timeout $RUN_TIMEOUT qemu-system-x86_64 -machine q35 -accel kvm -cpu host,-xsave -m 256M -display none \\
			-vga none -nic none -no-reboot -serial stdio "\$@" </dev/null 2>&1
		echo "=== end \$?"
	}
	guest -kernel /vmlinuz-amd64 -initrd /initrd.gz -append "\$words"
	guest -kernel /nestling.bin -initrd "/vmlinuz-amd64 \$words,/initrd.gz"
JOB
linux_job "Linux" amd64 amd64 BARE=1 CPU="max,+svm,-rdrand,-rdseed,la57=off"
# guest NUMBER: what that guest said.
guest() { tr -d '\r' <"$said" | awk -v number="$1" '/^=== guest/ { n++ } n == number'; }
# shellcheck disable=SC2154 # dir is runs.sh's
guest 1 >"$dir/bare"
guest 2 >"$dir/nested"
bare_tap=$dir/bare.tap
tap_of "$dir/bare" >"$bare_tap"
tap_of "$dir/nested" >"$dir/nested.tap"
tap_whole "$bare_tap"
ok $? "Linux, KVM's own guest: every point came, and none failed"
tap_same "$bare_tap" "$dir/nested.tap"
ok $? "Linux on Nestling: the same points as without"
grep -q '^nestling: .* L1 by Linux' "$dir/nested"
ok $? "Linux on Nestling: it was there"
done_testing
