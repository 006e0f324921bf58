#!/bin/bash
# Processors that no table tells of, one that is plugged in while L1 runs, and many of them.
. "$(dirname "$0")/lib.sh"

temporary_dir
export MEM=128M BOOT=direct

# all_are_l0s NAME COUNT VARIABLE=VALUE...: image_passes, and L0 says that it has so many.
all_are_l0s() {
	local name=$1 count=$2
	shift 2
	image_passes "$name" "$@"
	grep -qaF ", $count processors, " "$log"
	ok $? "$name: Nestling has $count processors"
}

export L1=startup64 SMP=2 CMDLINE=cpus=2
bare_passes "no ACPI, bare" QEMUFLAGS="-machine pc,acpi=off"
all_are_l0s "no ACPI" 2 QEMUFLAGS="-machine pc,acpi=off"
for boot in grub grub-efi; do
	all_are_l0s "no MADT, $boot" 2 BOOT=$boot MEM=256M GRUB_FIRST="acpi --exclude=APIC"
done
bare_tap=
all_are_l0s "no ACPI, npt=off, strict" 2 QEMUFLAGS="-machine acpi=off" L1=startup32 STRICT=1 \
	L0CMDLINE=npt=off

# Ends by itself at once.
tiny_image end 0x200000 '
	xor eax, eax
	mov dx, 0xf4		; isa-debug-exit
	out dx, al'
for count in 2 8 32 128; do
	run "$count processors" L1="$dir/end.elf" SMP="$count" MEM=512M CMDLINE=
	ok "$status" "$count processors: L1 runs"
	grep -qaF ", $count processors, " "$log"
	ok $? "$count processors: Nestling has them all"
	each=$(sed -nE 's/.* ([0-9]+) KiB for each processor.*/\1/p' "$log")
	[ "${each:-200}" -lt 200 ] && ! grep -qa 'left out' "$log"
	ok $? "$count processors: each takes less than 200 KiB"
done

# Says "w", waits until there is a second processor, and tries to start it in every way.
tiny_image plug 0x200000 '
	mov esp, 0x9f00
	mov dx, 0x3f8		; COM1
	mov al, "w"
	out dx, al
	mov esi, code
	mov edi, 0x8000
	mov ecx, code_end - code
	rep movsb
	mov dword [0x9000], 0
	mov dx, 0xcd8		; the chipset: a bit for each processor
.wait:	in al, dx
	test al, 2
	jz .wait
	mov ebx, 0xfee00000
	mov dword [ebx + 0xf0], 0x1ff
	mov dword [ebx + 0x310], 1 << 24
	mov eax, 0xc4500	; to all others
	call send
	mov eax, 0xc4608
	call send
	mov eax, 0x4500		; to the one with id 1
	call send
	mov eax, 0x4608
	call send
	call send
	mov eax, [0x9000]	; 1: it runs
	mov dx, 0xf4
	out dx, al
	hlt
send:	mov [ebx + 0x300], eax
	mov ecx, 100000000
.pause:	loop .pause
	ret
bits 16
code:	mov ax, 0x900
	mov ds, ax
	mov byte [0], 1
.halt:	hlt
	jmp .halt
code_end:
bits 32'

# plug NAME VARIABLE=VALUE...: as run, and the second processor is plugged in when L1 waits for it.
plug() {
	local name=$1 runner i=0
	shift
	new_log "$name"
	rm -f "$dir/mon.in" "$dir/mon.out"
	mkfifo "$dir/mon.in" "$dir/mon.out"
	exec 4<>"$dir/mon.in" 5<>"$dir/mon.out" # open for both, so that neither end waits
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" L1="$dir/plug.elf" SMP=1 CMDLINE= \
		QEMUFLAGS="$socket2 -chardev pipe,id=mon,path=$dir/mon -mon chardev=mon" "$@" \
		tests/run </dev/null >/dev/null 2>"$log.runner" &
	runner=$!
	while [ "$i" -lt $((RUN_TIMEOUT * 5)) ] && ! grep -qa w <(grep -av nestling "$log"); do
		sleep 0.2
		i=$((i + 1))
	done
	echo "device_add max-x86_64-cpu,socket-id=1,core-id=0,thread-id=0" >&4
	wait "$runner"
	status=$?
	exec 4>&- 5>&-
}

socket2="-smp 1,sockets=2,cores=1,maxcpus=2"
plug "plugged in, bare" BARE=1
grep -qF 'reports failure (1)' "$log.runner"
ok $? "plugged in, bare: the processor runs"
for npt in on off; do
	plug "plugged in, npt=$npt" L0CMDLINE=npt=$npt
	ok "$status" "plugged in, npt=$npt: the processor does not run"
	[ "$(grep -acF 'a processor that Nestling does not have is refused: its APIC id is 1' "$log")" = 1 ]
	ok $? "plugged in, npt=$npt: and the log says so once"
done
done_testing
