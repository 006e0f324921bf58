#!/bin/bash
# tests/run itself: what it makes of the ways that a machine can end, by images of a few bytes.
. "$(dirname "$0")/lib.sh"

temporary_dir

# ends IMAGE STATUS WORDS VARIABLE=VALUE...: the status of tests/run and what it says.
ends() {
	local image=$1 want=$2 words=$3
	shift 3
	run "$image $*" BARE=1 L1="$dir/$image.elf" "$@"
	[ "$status" = "$want" ]
	ok $? "image $image, $*: status $want"
	[[ $(cat "$log.runner") == *$words* ]]
	ok $? "image $image, $*: says \"$words\""
}

tiny_image success 0x100000 $'mov dx, 0xf4\nxor eax, eax\nout dx, al'
tiny_image failure 0x100000 $'mov dx, 0xf4\nmov al, 3\nout dx, al'
tiny_image reset 0x100000 $'lidt [none]\nint3\nnone: dw 0\ndd 0'
tiny_image hang 0x100000 ''
# ACPI PM1a of q35's ICH9 after its base was set: SLP_EN with the type of S5.
tiny_image poweroff 0x100000 $'mov dx, 0xcf8\nmov eax, 0x8000f840\nout dx, eax\nmov dx, 0xcfc\nmov eax, 0x601\nout dx, eax
mov dx, 0xcf8\nmov eax, 0x8000f844\nout dx, eax\nmov dx, 0xcfc\nmov eax, 0x80\nout dx, eax
mov dx, 0x604\nmov ax, 0x2000\nout dx, ax'

ends success 0 "the image's exit status is 0 (QEMU's: 1)"
ends failure 1 "the image reports failure (3): its exit status, QEMU's is 7"
ends reset 1 'the machine was reset'
ends hang 2 'no end within 3 seconds' TIMEOUT=3
ends poweroff 0 'the machine powered off'
ends success 1 'QEMU failed' QEMUFLAGS=-nonsense
ends success 1 'QEMU failed' "QEMUFLAGS=-kernel $dir/nothing"
ends success 2 'BOOT=floppy is unknown' BOOT=floppy
ends success 2 'MEM=much is no size' MEM=much
ends success 2 'SMP=0 is no number' SMP=0
ends success 2 'there is no such file' L1=./nothing.elf
ends success 2 'there is no such file as ./nothing' INITRD="$dir/hang.elf,./nothing"
ends success 2 'there is no such file as ./nothing' MODULES="$dir/hang.elf a b,./nothing c"
ends success 2 'DEPTH=0 is no number of Nestlings' DEPTH=0 BARE=0
ends success 2 'DEPTH=2 is without meaning with BARE=1' DEPTH=2
ends success 2 'INNERCMDLINE=npt=off is for Nestlings on Nestling' INNERCMDLINE=npt=off BARE=0
ends success 2 'DEPTH=2 needs an image' DEPTH=2 L1=none BARE=0
ends success 2 'L1=nestling is Nestling on Nestling: use DEPTH=2' DEPTH=1 L1=nestling BARE=0
ends success 2 'BOOT=uefi takes no double quotes' DEPTH=2 CMDLINE='"a"' BARE=0
mkdir "$dir/other"
cp "$dir/success.elf" "$dir/other/hang.elf"
ends success 2 'have one name on the machine: rename one' MODULES="$dir/hang.elf" INITRD="$dir/other/hang.elf"

# What kvm-unit-tests's images take: an environment file as the only module, words; and their status.
tiny_image environment 0x100000 '
	cmp	dword [ebx + 20], 1	; one module
	jne	.end
	mov	esi, [ebx + 24]
	mov	esi, [esi]
	cmp	dword [esi], "KEY="
	jne	.end
	movzx	eax, byte [esi + 4]
	sub	eax, "0"
	.end:	mov	dx, 0xf4
	out	dx, al'
echo KEY=5 >"$dir/env"
for bare in 0 1; do
	ends environment 1 'the image reports failure (5)' INITRD="$dir/env" BOOT=direct BARE=$bare
done

# What the comparison of points must tell apart.
tap() { printf '%s\n' "${@:2}" >"$dir/$1.tap"; }
tap good 1..2 'ok 1 - a' 'ok 2 - b'
tap short 1..2 'ok 1 - a'
tap bad 1..2 'ok 1 - a' 'not ok 2 - b'
tap todo 1..2 'ok 1 - a' 'not ok 2 - b # TODO qemu: does not'
tap none
tap_whole "$dir/good.tap" && tap_whole "$dir/todo.tap"
ok $? "TAP: a whole report, one with TODO"
! tap_whole "$dir/short.tap" >/dev/null && ! tap_whole "$dir/bad.tap" >/dev/null &&
	! tap_whole "$dir/none.tap" >/dev/null
ok $? "TAP: a short, a failed and an empty report are none"
tap_same "$dir/good.tap" "$dir/good.tap" && tap_same "$dir/todo.tap" "$dir/good.tap"
ok $? "TAP: the same, and the same but for what the emulator lacks"
! tap_same "$dir/good.tap" "$dir/todo.tap" >/dev/null &&
	! tap_same "$dir/good.tap" "$dir/short.tap" >/dev/null &&
	! tap_same "$dir/short.tap" "$dir/good.tap" >/dev/null
ok $? "TAP: differences are found, whichever side lacks a line"
# An image's groups by filter= and after=; COM1 tells each as it begins.
run "groups" BARE=1 L1=svm64 CMDLINE='filter=*s* after=agree.e*'
[ "$(tr -d '\r' <"$log" | sed -n 's/^# group: //p' | head -2 | tr '\n' ' ')" = "agree.xss vmrun-fails.rule " ]
ok $? "the groups behind agree.efer that filter= leaves"
done_testing
