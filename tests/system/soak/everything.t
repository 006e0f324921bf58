#!/bin/bash
# "Everything" as a person runs it: the menu of make image's stick, each bundled image bare and on Nestling.
# Half an hour, or more where the machine is slow. Words of EVERYTHING, as make-image takes it, choose images.
. "$(dirname "$0")/../everything.sh"

export REBOOT=1 MEM=${MEM:-256M}
RUN_TIMEOUT=${SOAK_SECONDS:-7200}

if [ -n "${EVERYTHING:-}" ]; then
	boot/grub/make-image "$dir/stick" "$BUILD"/release/nestling.{bin,efi} "$BUILD"/release/guest/*.elf
else
	cp "$BUILD/release/nestling.iso" "$dir/stick"
fi
everything "all images" a BOOT=stick-efi STICK_FLAGS=snapshot=off
sed -n '/^=== Summary/,$s/^/# /p' "$report"

# The images that the stick's menu lists, each once.
images=$(sed -n 's/^=== Step [0-9]* of [0-9]*: \(.*\), bare$/\1/p' "$report")
[ -n "$images" ] && [ -z "$(sort <<<"$images" | uniq -d)" ]
ok $? "there are images, $(wc -w <<<"$images") of them"
for image in $images; do
	verdicts=$(grep -A 100000 '^=== Summary' "$report" | grep "^$image " | tr -s ' ')
	[[ $verdicts =~ ^[^\ ]+\ (good|skipped).*\ (good|skipped) ]]
	ok $? "$image: ${verdicts#* }"
done
done_testing
