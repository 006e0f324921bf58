#!/bin/bash
# A machine with memory above 4 GiB, where Nestling has what it needs more than a little of: L1 does not
# reach it there, either. And one with as much as TCG's processor can address.
. "$(dirname "$0")/lib.sh"

temporary_dir
export MEM=6G

# lies_above NAME VARIABLE=VALUE...: image_passes, and most of Nestling's memory is above 4 GiB.
lies_above() {
	local name=$1
	shift
	image_passes "$name" "$@"
	grep -qaE ': [0-9]+ MiB more at [1-9a-f][0-9a-f]{8}' "$log"
	ok $? "$name: most of Nestling's memory is above 4 GiB"
}

export L1=hostile64 BOOT=direct
bare_passes "hostile L1, bare"
lies_above "hostile L1, strict" STRICT=1 L0CMDLINE=pool=160M
grep -qaE ', [246] MiB at [0-9a-f]{8},' "$log"
ok $? "hostile L1, strict: and little of it below"
image_passes "hostile L1, all below" L0CMDLINE=pool=16M
! grep -qa 'MiB more at' "$log"
ok $? "hostile L1, all below: in one piece"
export L1=hostile32
bare_passes "hostile L1, 32 bits, bare"
lies_above "hostile L1, 32 bits, npt=off" "L0CMDLINE=pool=160M npt=off"
bare_tap=
lies_above "EFI program, 2 processors" L1=long SMP=2 BOOT=uefi L0CMDLINE=pool=160M

# Ends by itself at once. None of the memory is there before somebody writes to it.
tiny_image end 0x200000 '
	xor eax, eax
	mov dx, 0xf4		; isa-debug-exit
	out dx, al'
run "900 GiB" L1="$dir/end.elf" BOOT=direct MEM=900G \
	QEMUFLAGS="-object memory-backend-ram,id=ram,size=900G,reserve=off -machine memory-backend=ram"
ok "$status" "900 GiB: L1 runs"
grep -qaE ': [0-9]+ MiB more at e[0-9a-f]{9}' "$log" && grep -qaE ', [246] MiB at [0-9a-f]{8},' "$log"
ok $? "900 GiB: Nestling has a byte for each page, and that at the top"

# A loader that tells of a GiB at 900 GiB besides what is there: with a byte for each page up to it L0
# would want more than the machine has.
tiny_image far 0x400000 "
		mov	esi, [ebx + 24]		; the modules: Nestling, and L1
		mov	ecx, [ebx + 20]
		dec	ecx
		mov	[ebx + 20], ecx
		lea	eax, [esi + 16]
		mov	[ebx + 24], eax
		or	dword [ebx], 1 << 6
		mov	dword [ebx + 44], map_end - map
		mov	dword [ebx + 48], map
		$move_nestling
		mov	eax, 0x2badb002
		jmp	dword [esi + 28]
	map:	dd	20
		dq	0, 0x9fc00
		dd	1, 20
		dq	0x100000, 0x7e00000
		dd	1, 20
		dq	900 << 30, 1 << 30
		dd	1
	map_end:"
run "far memory" BARE=1 L1="$dir/far.elf" MEM=128M \
	QEMUFLAGS="-initrd $BUILD/release/nestling.bin,$dir/end.elf"
ok "$status" "far memory: L1 runs"
grep -qa '1024 MiB of memory from e100000000 on lie too far from all other to be used: L1 is told that' "$log"
ok $? "far memory: L0 leaves it out, and says so"
done_testing
