#!/bin/bash
# What a person sees of L0: QEMU's pictures of the screen, read by our own font (read-screen.c), and
# the memory of VGA's text mode; against what L0 says on the serial port, without one, and when L0
# dies under an L1 that has drawn over everything.
. "$(dirname "$0")/lib.sh"

temporary_dir
READ=$BUILD/read-screen
tiny_image halts 0x500000 ''
export L1=$dir/halts.elf MEM=128M

# begin NAME VARIABLE=VALUE...: starts the machine, with QEMU's monitor behind descriptor 4.
begin() {
	name=$1
	shift
	new_log "$name"
	rm -f "$dir"/mon.* "$dir"/shot*
	mkfifo "$dir/mon.in" "$dir/mon.out"
	exec 4<>"$dir/mon.in"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" "$@" \
		QEMUFLAGS="${flags:-} -chardev pipe,id=mon,path=$dir/mon -mon chardev=mon" \
		tests/run </dev/null >/dev/null 2>"$log.runner" 4>&- &
	runner=$!
}

finish() {
	kill "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
	exec 4>&-
}

# whole: QEMU has written all of its picture (read-screen refuses a part of one).
whole() {
	if [ "$kind" = text ]; then
		[ "$(stat -c %s "$dir/shot" 2>/dev/null)" = 4000 ]
	else
		"$READ" "$dir/shot" >"$dir/screen" 2>/dev/null
	fi
}

# look: the text that is on the screen now, into $dir/screen; how wide it is, into columns.
look() {
	local i
	rm -f "$dir/shot"
	: >"$dir/screen"
	if [ "$kind" = text ]; then
		echo "pmemsave 0xb8000 4000 \"$dir/shot\"" >&4 # else / divides
	else
		echo "screendump $dir/shot" >&4
	fi
	for i in {1..50}; do
		whole && break
		sleep 0.1
	done
	columns=80
	if [ "$kind" = text ]; then
		perl -0777 -pe 's/(.)./$1/gs; s/(.{80})/$1\n/g; s/[\0 ]+\n/\n/g; s/\n+\z/\n/' "$dir/shot" >"$dir/screen"
	else
		read -r width _ <<<"$(head -c 20 "$dir/shot" | sed -n 2p)"
		columns=$((width / 8 / (width >= 2560 ? 2 : 1)))
	fi
}

# await TEXT: looks until the screen has it.
await() {
	local i
	for ((i = 0; i < RUN_TIMEOUT * 2; i++)); do
		look
		grep -qF -- "$1" "$dir/screen" && return
		kill -0 "$runner" 2>/dev/null || return 1
		sleep 0.3
	done
	return 1
}

# same_as_log: the screen's lines are those of L0's on the serial port, as its width breaks them.
same_as_log() {
	tr -d '\r' <"$log" | grep -a '^nestling: ' | fold -w "$columns" | diff - <(sed '/./,$!d' "$dir/screen") >"$dir/differs" &&
		grep -q 'nestling: ' "$dir/screen"
	ok $? "$name: the screen has every line of the serial port, and no other"
	sed 's/^/# /' "$dir/differs"
}

# shows NAME SIZE VARIABLE=VALUE...: L0 boots on a screen of this size, and its lines are there.
shows() {
	local wanted=$2
	begin "$1" "${@:3}"
	await "L1 by "
	ok $? "$name: L0's line is on the screen"
	same_as_log
	[ "$kind" = text ] || [ "$(head -c 20 "$dir/shot" | sed -n 2p)" = "$wanted" ]
	ok $? "$name: its size is $wanted"
	finish
}

kind=pixels
flags="-device VGA,xres=1920,yres=1080"
shows "EFI program" "1920 1080" BOOT=uefi L0CMDLINE=log=debug
flags="-device VGA,xres=2560,yres=1600,vgamem_mb=32"
shows "EFI program, large" "2560 1600" BOOT=uefi
flags="-device VGA,vgamem_mb=64"
shows "GRUB from UEFI" "3840 2160" BOOT=grub-efi SCREEN=3840x2160x32
flags=
shows "GRUB from BIOS, as it likes" "1280 800" BOOT=grub
for mode in 1024x768x32 800x600x24 1280x1024x16; do
	wide=${mode%%x*} high=${mode#*x}
	shows "GRUB from BIOS, $mode" "$wide ${high%x*}" BOOT=grub L0CMDLINE=log=debug SCREEN=$mode
done
kind=text
shows "GRUB from BIOS, text" text BOOT=grub SCREEN=text
shows "direct" text BOOT=direct L0CMDLINE=log=debug

# Without a serial port, and what goes wrong is on the screen, too.
export BOOT=direct
shows_alone() {
	begin "${@:1:1}" "${@:3}"
	await "$2"
	ok $? "$name: the screen says \"$2\""
	[ ! -s "$log" ]
	ok $? "$name: the serial port says nothing"
	finish
}
shows_alone "no serial port" "L1 by multiboot1" SERIAL=none
shows_alone "no serial port, hot key" "hotkey=on has no effect" SERIAL=none L0CMDLINE=hotkey=on
shows_alone "no serial port, error" 'error: unknown configuration word "color=blue"' SERIAL=none \
	L0CMDLINE=color=blue
shows_alone "no serial port, no SVM" "has no SVM" SERIAL=none CPU=max,svm=off
shows_alone "serial=off" "L1 by multiboot1" L0CMDLINE=serial=off
shows_alone "nothing at COM1" "L1 by multiboot1" SERIAL=com2

# Another serial port, by a word and by ACPI's SPCR.
says_there() {
	run "$@"
	grep -qa '^nestling: .*L1 by multiboot1' "$log"
	ok $? "$1: L0 talks there"
}
tiny_image ends 0x500000 'mov al, 0
	out 0xf4, al'
says_there "serial=com2" L1="$dir/ends.elf" SERIAL=com2 L0CMDLINE=serial=com2
says_there "serial=0x2f8" L1="$dir/ends.elf" SERIAL=com2 L0CMDLINE=serial=0x2f8
printf '\0\0\0\0\x01\x08\0\x01\xf8\x02\0\0\0\0\0\0%028d' 0 | tr 0 '\0' >"$dir/spcr"
says_there "SPCR" L1="$dir/ends.elf" SERIAL=com2 QEMUFLAGS="-acpitable sig=SPCR,data=$dir/spcr"

# screen=keep: L0 goes on when L1 runs; screen=off: nothing comes. The image asks for the counters.
tiny_image asks 0x500000 'mov eax, 0x4e530000
	vmmcall'
begin "screen=keep" L1="$dir/asks.elf" L0CMDLINE=screen=keep
await "pages free"
ok $? "$name: what L0 says under L1 is on the screen"
finish
for word in auto off; do
	begin "screen=$word" L1="$dir/asks.elf" L0CMDLINE=screen=$word
	for i in {1..100}; do
		grep -qa "pages free" "$log" && break
		sleep 0.3
	done
	sleep 0.5
	look
	! grep -q "pages free" "$dir/screen" && grep -qa "pages free" "$log"
	ok $? "$name: what L0 says under L1 is on the serial port only"
	grep -q "L1 by" "$dir/screen"
	[ $? = "$([ $word = off ] && echo 1 || echo 0)" ]
	ok $? "$name: what L0 says before is $([ $word = off ] && echo nowhere || echo there)"
	finish
done

# Loaders that lie: a screen that is an APIC, a tag that is cut short.
# liar NAME BYTES TYPE BASE: $dir/NAME.elf, which starts its first module by multiboot2 and tells it so.
liar() {
	tiny_image "$1" 0x400000 "
		mov	esi, [ebx + 24]		; the modules: Nestling, and L1
		mov	eax, [esi + 16]
		mov	[l1_begin], eax
		mov	eax, [esi + 20]
		mov	[l1_end], eax
		mov	ebp, [ebx + 8]		; mem_upper
		mov	[upper], ebp
		$move_nestling
		mov	eax, 0x36d76289
		mov	ebx, information
		jmp	dword [esi + 28]
		align	8
	information:
		dd	information_end - information, 0
		dd	4, 16, 640
	upper:	dd	0
		dd	3, 17
	l1_begin: dd	0
	l1_end:	dd	0
		db	0
		align	8
		dd	8, $2
		dq	$4
		dd	4096, 1024, 768
		db	32, $3, 0, 0, 16, 8, 8, 8, 0, 8
		align	8
		dd	0, 8
	information_end:"
}
lies() {
	liar "$1" "$2" "$3" "$4"
	run "$1" BARE=1 L1="$dir/$1.elf" QEMUFLAGS="-initrd $BUILD/release/nestling.bin,$dir/ends.elf"
	ok "$status" "$1: L1 runs"
	[ "$(grep -acF "it is not used" "$log")" = 1 ] && grep -qaF "$5" "$log"
	ok $? "$1: L0 says \"$5\""
}
lies apic 38 1 0xfee00000 "the screen at fee00000 lies on an APIC"
lies memory 38 1 0x600000 "the screen at 600000 lies in memory"
lies nobody 38 1 0xc0000000 "the screen at c0000000 lies in no display's memory"
lies short 37 1 0xfd000000 "is told in a way that Nestling does not know"
lies palette 38 0 0xfd000000 "is in a mode with a palette"

# A panic. L1 draws over everything, moves the screen or not, says so, and waits for a word at 5000h; then
# it runs CPUID, whose handler in L0 is overwritten by now: with INT3. The machine's memory is a file.
symbols=$(nm "$BUILD/release/nestling.elf")
address_of() { awk -v name="$1" '$3 == name { print "0x" $1 }' <<<"$symbols"; }
dies() {
	tiny_image dies 0x500000 "
		$find_vga
		mov	edi, $2
		mov	ecx, 800 * 600
		mov	eax, 0x55555555
		cld
		rep stosd
		$3
		mov	dx, 0x3f8
		mov	al, '!'
		out	dx, al
	.wait:	cmp	byte [0x5000], 0x5a
		jne	.wait
		cpuid"
	flags="-object memory-backend-file,id=ram,size=$MEM,mem-path=$dir/ram,share=on -machine memory-backend=ram"
	rm -f "$dir/ram" # of the run before, which has the word
	begin "$1" L1="$dir/dies.elf" "${@:4}"
	for i in {1..200}; do
		grep -qa '^!' "$log" && break
		sleep 0.2
	done
	poke=$((0x$(grep -a "L1 by" "$log" | sed -E 's/.* at ([0-9a-f]+),.*/\1/') +
		$(address_of emulate_cpuid) - $(address_of image_base)))
	printf '\xcc' | dd of="$dir/ram" bs=1 seek=$poke conv=notrunc status=none
	printf '\x5a' | dd of="$dir/ram" bs=1 seek=$((0x5000)) conv=notrunc status=none
	flags=
}
panics() {
	dies "$@"
	await "of L1's watched" # the report's last line
	ok $? "$name: it is on the screen"
	[ "$(sed -n 1p "$dir/screen" | cut -c1-29)" = "nestling: panic: exception 3," ] &&
		grep -q "VMCB01: exit 72" "$dir/screen"
	ok $? "$name: with its report, and all of L1's picture is gone"
	finish
}
vbe=(BOOT=grub SCREEN=800x600x32)
panics "panic, text" 0xb8000 "" BOOT=direct
kind=pixels
panics "panic" eax "" "${vbe[@]}"
panics "panic, screen=keep" eax "" "${vbe[@]}" L0CMDLINE=screen=keep
# It is moved by 16 MiB; what is there now is none of L0's business.
dies "panic, moved screen" eax "
		mov	dl, 0xf8
		mov	eax, 0x80000810
		out	dx, eax
		mov	dl, 0xfc
		in	eax, dx
		add	eax, 0x1000000
		out	dx, eax" "${vbe[@]}"
for i in {1..100}; do
	grep -qa "of L1's watched" "$log" && break
	sleep 0.2
done
look
grep -qa "panic: exception 3" "$log" && ! grep -q "nestling" "$dir/screen"
ok $? "$name: the panic is on the serial port only"
finish
done_testing
