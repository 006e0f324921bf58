#!/bin/bash
# The nested SVM suite, svm32 and svm64: what it says on Nestling is what it says on the bare machine,
# on QEMU and on Bochs. What differs is in the table of docs/svm-suite.md, with the reason of each row;
# a row that matches no difference any more is an error, too.
. "$(dirname "$0")/lib.sh"

table=docs/svm-suite.md
temporary_dir

# table_rows MACHINE: the patterns of its rows, one in a line.
table_rows() {
	sed -nE "s/^\| $1 \| \`([^\`]+)\` \|.*/\1/p" "$table"
}

# suite_passes NAME MACHINE VARIABLE=VALUE...: as image_passes on Nestling, but for the table's rows.
suite_passes() {
	local name=$1 machine=$2 pattern rows
	shift 2
	run "$name" "$@"
	tap_of "$log" >"$dir/nested"
	cp "$bare_tap" "$dir/bare"
	table_rows "$machine" >"$dir/rows"
	while read -r pattern; do
		grep -E -- " - $pattern( # |\$)" "$dir/bare" >"$dir/bare-rows"
		grep -E -- " - $pattern( # |\$)" "$dir/nested" >"$dir/nested-rows"
		cmp -s "$dir/bare-rows" "$dir/nested-rows" || echo "$pattern" >>"$dir/seen-$machine"
	done <"$dir/rows"
	rows=$(paste -sd'|' "$dir/rows")
	if [ -n "$rows" ]; then
		echo "# $name: $(grep -cE -- " - ($rows)( # |\$)" "$dir/nested") points by the table of $table"
		sed -Ei "s/^not (ok [0-9]+ - ($rows)(\$| # .*))/\1/" "$dir/nested"
	fi
	tap_whole "$dir/nested"
	ok $? "$name: every point came, and none failed but the table's"
	grep -vE -- " - (${rows:-none})( # |\$)" "$dir/bare" >"$dir/bare-same"
	grep -vE -- " - (${rows:-none})( # |\$)" "$dir/nested" >"$dir/nested-same"
	tap_same "$dir/bare-same" "$dir/nested-same"
	ok $? "$name: the same points as on the bare machine"
}

# table_is_true MACHINE: each of its rows stood for a difference.
table_is_true() {
	sort -u "$dir/seen-$1" 2>/dev/null >"$dir/seen"
	table_rows "$1" | sort -u | comm -23 - "$dir/seen" >"$dir/stale"
	sed "s/^/# no difference any more: /" "$dir/stale"
	[ ! -s "$dir/stale" ]
	ok $? "$1: each row of the table is a difference"
}

for image in svm32 svm64; do
	export L1=$image BOOT=direct CPU=max MEM=128M
	bare_passes "$image, bare"
	suite_passes "$image on Nestling" qemu
	suite_passes "$image on Nestling, strict" qemu STRICT=1
	bare_passes "$image without NPT, bare" CPU=max,npt=off
	suite_passes "$image on Nestling, npt=off" qemu L0CMDLINE=npt=off
done
table_is_true qemu

# A model that does not say that it is QEMU's; points that would abort QEMU are left out all the same.
export L1=svm64 CPU=EPYC CMDLINE='filter=entry.*'
bare_passes "as an EPYC, bare"
image_passes "as an EPYC"
export CMDLINE=
# A processor with more address bits than the nested format.
export L1=long CPU=max,phys-bits=52 CMDLINE='filter=nested.format'
bare_passes "52 address bits, bare"
image_passes "52 address bits"
export CMDLINE=

for image in svm32 svm64; do
	export L1=$image EMU=bochs BOOT=grub CPU=ryzen
	bare_passes "$image, bare Bochs"
	suite_passes "$image on Nestling, Bochs" bochs
done
table_is_true bochs
[ "$(grep -cE "^(not )?ok " "$dir/nested")" -ge 250 ]
ok $? "the suite has 250 points at least"
done_testing
