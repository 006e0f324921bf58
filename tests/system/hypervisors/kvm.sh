# shellcheck shell=bash
# The bundled images as L1s of KVM, with Nestling between or not, judged by the list of what that version
# of KVM is known to do otherwise than the manual (kvm/VERSION). Here, or on an emulated machine.
. "$(dirname "${BASH_SOURCE[0]}")/runs.sh"
HERE=tests/system/hypervisors
LISTS=${LISTS:-$HERE/kvm} # a test has others
KERNEL=${KERNEL:-} # for an emulated machine: another kernel with KVM in it than Debian's

# kvm_list RELEASE: $list, that of the newest version that is not newer than the release.
kvm_list() {
	local version=${1%%[!0-9.]*} file
	list=
	for file in $(cd "$LISTS" && printf '%s\n' * | sort -V); do
		[ "$(printf '%s\n' "$file" "$version" | sort -V | head -1)" != "$file" ] || list=$LISTS/$file
	done
}

# kvm_judge NAME WHERE RELEASE: points of what kvm-images said; what failed is kept in $BUILD/check-kvm.
kvm_judge() {
	local name=$1 where=$2 release=$3 line
	kvm_list "$release"
	if [ -z "$list" ]; then
		echo "# $name: KVM of Linux $release is older than all lists ($(cd "$LISTS" && echo *)): all that fails counts"
		list=/dev/null
	else
		echo "# $name: KVM of Linux $release, judged by $list, $where"
	fi
	mkdir -p "$BUILD/check-kvm"
	while read -r line; do
		case $line in
		'ok '*) ok 0 "$name: ${line#* - }" ;;
		'not ok '*) ok 1 "$name: ${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done < <(FAILED="$BUILD/check-kvm/${name//[^A-Za-z0-9.]/_}" "$HERE/kvm-judge" "$list" "$where" "$said")
	grep -q '^=== done' "$said"
	ok $? "$name: the images were run"
}

# kvm_emulated NAME LA57 NPT L0 IMAGE...: on an emulated machine with la57=on or off below, KVM with npt=1 or
# 0, and L0 (nestling.bin, or none) on it. Both machines have $KVM_SMP processors. KVM_BELOW is what the Linux
# with that KVM runs on, as tests/run takes it: BARE=1 if not said.
kvm_emulated() {
	local name=$1 la57=$2 npt=$3 l0=$4 where=tcg image runs=()
	shift 4
	new_job
	cp "$HERE/kvm-images" "$job/"
	for image; do
		cp "$BUILD/strict/guest/${image%% *}.elf" "$job/"
		runs+=("'/${image%% *}.elf${image#"${image%% *}"}'")
	done
	[ "$l0" = none ] || cp "$l0" "$job/nestling.bin"
	cat >"$job/job" <<-JOB
		[ -e /dev/kvm ] || modprobe kvm-amd nested=1 npt=$npt
		echo "=== kernel \$(uname -r)"
		echo "=== npt \$(cat /sys/module/kvm_amd/parameters/npt)"
		export SILENCE=40 # its processor is a slow one
		sh /kvm-images 'qemu-system-x86_64 -smp ${KVM_SMP:-1}' '$([ "$l0" = none ] || echo /nestling.bin)' ${runs[*]}
	JOB
	# shellcheck disable=SC2086 # KVM_BELOW is several words
	job_words="kvm_amd.nested=1 kvm_amd.npt=$npt" linux_job "$name" amd64 amd64 ${KVM_BELOW:-BARE=1} \
		${KERNEL:+L1="$KERNEL"} CPU="max,+svm,-rdrand,-rdseed,la57=$la57" SMP="${KVM_SMP:-1}"
	[ "$la57" = off ] || where+=,la57
	[ "$l0" = none ] || where+=,nestling
	case $(sed -n 's/^=== npt //p' "$said") in
	1 | Y) where+=,npt ;;
	0 | N) where+=,shadow ;;
	*) ok 1 "$name: there is KVM for AMD's processors in the kernel" && return ;;
	esac
	kvm_judge "$name" "$where" "$(sed -n 's/^=== kernel //p' "$said")"
}

# linux_on_kvm NAME WORDS: Debian's amd64 Linux with these words for check-linux's initrd, on Nestling on KVM.
# Of XSAVE KVM and TCG disagree, and Linux warns.
linux_on_kvm() {
	local name=$1 words="console=ttyS0 nokaslr no_timer_check $2"
	new_job
	cp "$BUILD/linux/vmlinuz-amd64" "$BUILD/strict/nestling.bin" "$job/"
	cp "$BUILD/linux/initrd-amd64" "$job/initrd.gz"
	cat >"$job/job" <<-JOB
		modprobe kvm-amd nested=1
		timeout $RUN_TIMEOUT qemu-system-x86_64 -machine q35 -accel kvm -cpu host,-xsave -m 256M -display none \
			-vga none -nic none -no-reboot -serial stdio \
			-kernel /nestling.bin -initrd "/vmlinuz-amd64 $words,/initrd.gz" </dev/null 2>&1
	JOB
	linux_job "$name" amd64 amd64 BARE=1 CPU="max,+svm,-rdrand,-rdseed,la57=off"
	tr -d '\r' <"$said" >"$dir/said.linux"
	tap_of "$dir/said.linux" >"$dir/linux.tap"
	tap_whole "$dir/linux.tap"
	ok $? "$name: every point came, and none failed"
	grep -q '^nestling: .* L1 by Linux' "$dir/said.linux"
	ok $? "$name: Nestling was there"
	grep -q 'tsc: Detected [0-9.]* MHz' "$dir/said.linux" && ! grep -q 'Marking TSC unstable' "$dir/said.linux"
	ok $? "$name: the kernel knows the TSC's frequency"
}
