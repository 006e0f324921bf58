#!/bin/bash
# What a person can get wrong with make check-kvm: one line says what to do. The machine is made of files.
. "$(dirname "$0")/lib.sh"
temporary_dir

# machine FLAGS RELEASE: $root, on which all is well, for that processor and kernel.
machine() {
	root=$dir/root
	rm -rf "$root"
	mkdir -p "$root/proc/sys/kernel" "$root/sys/module/kvm_amd/parameters" "$root/dev"
	printf 'vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu %s npt\n' "$1" >"$root/proc/cpuinfo"
	echo "$2" >"$root/proc/sys/kernel/osrelease"
	echo 1 >"$root/sys/module/kvm_amd/parameters/nested"
	echo Y >"$root/sys/module/kvm_amd/parameters/npt"
	echo >"$root/dev/kvm"
}

# refuses NAME TEXT VARIABLE=VALUE...: status 2, and one line with the text.
refuses() {
	local name=$1 text=$2 said
	shift 2
	said=$(env ROOT="$root" "$@" tests/check-kvm 2>&1)
	[ $? = 2 ]
	ok $? "$name: is refused"
	[[ $said == *"$text"* && $said != *$'\n'* ]]
	ok $? "$name: says \"$text\""
	[[ $said == *"$text"* ]] || echo "# $said"
}

good="svm lm" new=6.1.0-1-amd64
machine "$good" $new
rm "$root/dev/kvm"
refuses "no /dev/kvm" "there is no /dev/kvm"
machine "$good" $new
sed -i s/AuthenticAMD/GenuineIntel/ "$root/proc/cpuinfo"
refuses "Intel's processor" "this is an Intel processor"
machine lm $new
refuses "SVM is off" "the processor shows no SVM: turn it on in the firmware"
machine "$good" $new
rm -r "$root/sys/module/kvm_amd"
refuses "no module" "kvm_amd is not loaded: modprobe kvm_amd nested=1"
for value in 0 N; do
	machine "$good" $new
	echo $value >"$root/sys/module/kvm_amd/parameters/nested"
	refuses "nested=$value" "KVM's L1s have no SVM, as nested=$value: modprobe -r kvm_amd; modprobe kvm_amd nested=1"
done
machine "$good" 5.10.0
refuses "an old kernel" "Linux 5.10.0 is older than"
machine "$good" $new
mkdir "$dir/bin"
ln -s /usr/bin/* "$dir/bin/"
rm -f "$dir/bin"/qemu-system-x86_64
refuses "no QEMU" "there is no qemu-system-x86_64" PATH="$dir/bin"
refuses "an unknown word" "KVM=there is unknown" KVM=there
refuses "an unknown image" "there is no image paee" IMAGES="pae paee"
refuses "no kernel of one's own" "there is no $dir/bzImage" KVM=emulated KERNEL="$dir/bzImage"

# On a machine where all is well, what a QEMU says of each image is judged.
mkdir "$dir/said"
cat >"$dir/qemu-system-x86_64" <<-'EOF2'
	#!/bin/bash
	cat "$(dirname "$0")/said/$(basename "$(sed 's/.*-kernel \([^ ]*\).*/\1/' <<<"$*")" .elf)$(grep -o 'after=.*[a-z]' <<<"$*")"
	exit 1
EOF2
chmod +x "$dir/qemu-system-x86_64"
mkdir "$dir/lists"
cat >"$dir/lists/5.19" <<-'EOF2'
	# of an old one
	pae any one.group: old
EOF2
cat >"$dir/lists/6.1" <<-'EOF2'
	# why
	pae,pse npt one.group: known
	pae shadow one.group: with npt=0
	* any two.group: L1 ends
	pae npt three.group: is mended
	svm32 npt *
	pae npt,nestling one.group: known
EOF2
echo "pae any one.group: new" >"$dir/lists/6.4"

# judges NAME IMAGE TEXT...: check-kvm's status is $want, and its output has each text.
judges() {
	local name=$1 image=$2 said
	shift 2
	said=$(env ROOT="$root" LISTS="$dir/lists" PATH="$dir:$PATH" IMAGES="$image" BUILD="$BUILD" tests/check-kvm 2>&1)
	[ $? = "$want" ]
	ok $? "$name: status $want"
	for text; do
		[[ $said == *"$text"* ]]
		ok $? "$name: says \"$text\""
		[[ $said == *"$text"* ]] || printf '%s\n' "$said" | sed 's/^/# /'
	done
}
machine "$good" 6.3.7
printf 'TAP version 13\r\n# group: one.group\r\nok 1 - one.group: a\r\nnot ok 2 - one.group: known\r\n# group: two.group\r\n' >"$dir/said/pae"
printf '# group: three.group\r\nok 1 - three.group: is mended\r\nnot ok 2 - three.group: b # TODO qemu: c\r\n1..2\r\n' \
	>"$dir/said/paeafter=two.group"
want=0
judges "all as the list of 6.1 says" pae "judged by $dir/lists/6.1, npt" \
	"pae: 4 points, 2 expected to fail do, 0 others" "passes, though it is expected to fail: three.group: is mended"
cp "$dir/lists/6.1" "$dir/list"
printf '%s\n' "=== image pae" "ok 1 - one.group: a" "not ok 2 - one.group: known" "1..2" "=== done" \
	"=== image pse" "not ok 1 - one.group: known" "1..1" "=== done" >"$dir/kvm-said"
judged=$(tests/system/hypervisors/kvm-judge "$dir/list" npt,nestling "$dir/kvm-said")
[ $? = 1 ] && [[ $judged == *"ok 1 - pae: 2 points, 1 expected to fail do, 0 others"*"not ok 2 - pse: 1 points, 0 expected"* ]]
ok $? "on Nestling only the list's lines for it count"
echo N >"$root/sys/module/kvm_amd/parameters/npt"
want=1
judges "with npt=0" pae "fails, and is not expected to: one.group: known" "4 points, 1 expected to fail do, 1 others"
machine "$good" 6.3.7
cp "$dir/said/pae" "$dir/said/pse"
printf '# group: three.group\r\nnot ok 1 - three.group: new\r\n# x: got 1, expected 2\r\n' >"$dir/said/pseafter=two.group"
echo "1..0 # SKIP no group matches the filter" >"$dir/said/pseafter=three.group"
judges "a new failure, and an end" pse "fails, and is not expected to: three.group: new" "#   x: got 1, expected 2" \
	"fails, and is not expected to: three.group: L1 ends" "3 points, 2 expected to fail do, 2 others"
cp "$dir/said/pse" "$dir/said/svm32"
cp "$dir/said/paeafter=two.group" "$dir/said/svm32after=two.group"
want=0
judges "an image of which all may fail" svm32 "4 points, 2 expected to fail do, 0 others"
want=1
printf 'nestling: panic: x\r\n' >"$dir/said/long"
printf '#!/bin/bash\ncat %s/said/long\nexec sleep 100\n' "$dir" >"$dir/silent"
chmod +x "$dir/silent"
[[ $(tests/system/hypervisors/kvm-images "$dir/silent" "" "$dir/long.elf") == *"=== ends before any group: Nestling's panic"* ]]
ok $? "a machine that panics ends soon"
: >"$dir/said/long"
[[ $(SILENCE=1 tests/system/hypervisors/kvm-images "$dir/silent" "" "$dir/long.elf") == *"any group: silent for 1 seconds"* ]]
ok $? "a machine that says nothing ends"
machine "$good" 6.12.0-rc1
judges "a newer kernel" pae "judged by $dir/lists/6.4" "fails, and is not expected to: one.group: known"
done_testing
