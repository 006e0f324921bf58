#!/bin/bash
# Devices that L1 programs: with an IOMMU they reach nothing of L0's, which is looked over afterwards by the
# canary of chaos.t's kind; without one the same image shows that they do.
. "$(dirname "$0")/lib.sh"

temporary_dir
export BOOT=direct MEM=128M L1=hostile64 CMDLINE=filter=hostile.dma-ahci
ram=$dir/ram
truncate -s 1M "$dir/disk" "$dir/virtio"
machine="-drive if=none,id=disk,format=raw,file=$dir/disk -device ide-hd,drive=disk,bus=ide.3,model=NESTLING"
others="-drive if=none,id=virtio,format=raw,file=$dir/virtio"
others+=" -device virtio-blk-pci,drive=virtio,serial=NESTLING,iommu_platform=on,disable-legacy=on"
# edu takes 100 ms for a copy: of the machine's time, which goes by faster so.
others+=" -device e1000 -device edu -icount shift=10,sleep=off"
machine+=" -object memory-backend-file,id=ram,size=$MEM,mem-path=$ram,share=on -machine q35,memory-backend=ram"

# kept_out NAME DEVICES VARIABLE=VALUE...: no page of L0's is read or written by so many devices.
kept_out() {
	name=$1 devices=$2
	shift 2
	rm -f "$ram"
	QEMUFLAGS="$machine -device amd-iommu" run "$name" "$@"
	ok "$status" "$name: what a device reads and writes is none of Nestling's"
	grep -qa "IOMMU: devices are kept out" "$log"
	ok $? "$name: Nestling says so"
	! grep -qaE "^not ok|# skip|SKIP" "$log" && [ "$(grep -ca '^ok ' "$log")" = $((devices * 6)) ]
	ok $? "$name: every point is good"
	# The image fills pages with this word; L0's have none of it.
	read -r mib at <<<"$(tr -d '\r' <"$log" | sed -nE 's/.* ([0-9]+) MiB at ([0-9a-f]+),.*/\1 \2/p')"
	[ -n "$at" ] && ! dd if="$ram" bs=1M skip=$((0x$at >> 20)) count="$mib" status=none |
		grep -qaP '(\x1e\xa1\x27\x5e){16}'
	ok $? "$name: nothing of what it writes is in Nestling's memory"
}

# open NAME DEVICES VARIABLE=VALUE...: the attack works, so that the test above says something.
open() {
	name=$1 devices=$2
	shift 2
	rm -f "$ram"
	run "$name" "$@"
	for device in $devices; do
		grep -qa "^not ok .* hostile.dma-$device: it reads no page of the hypervisor's" "$log" &&
			grep -qa "^not ok .* hostile.dma-$device: and writes none" "$log"
		ok $? "$name: $device reads Nestling's memory"
	done
	! grep -qa "devices are kept out" "$log"
	ok $? "$name: Nestling does not say that it is kept out"
}

kept_out "32 bits, npt=off" 1 STRICT=1 L1=hostile32 L0CMDLINE=npt=off
kept_out "two processors" 1 SMP=2 "CMDLINE=cpus=2 $CMDLINE"
QEMUFLAGS="$machine -device amd-iommu" open "iommu=off" ahci L0CMDLINE=iommu=off
without=$machine machine+=" $others"
kept_out "all devices" 4 STRICT=1 TIMEOUT=300 'CMDLINE=filter=hostile.dma-*'
QEMUFLAGS=$machine open "no IOMMU" "ahci edu e1000 virtio" TIMEOUT=300 'CMDLINE=filter=hostile.dma-*'
machine=$without

# What the firmware says is broken: a block of IOMMUs that is longer than the table.
printf '%012d\x10\0\xff\0%020d' 0 0 | tr 0 '\0' >"$dir/ivrs"
QEMUFLAGS="$machine -acpitable sig=IVRS,data=$dir/ivrs" open "a broken IVRS" ahci
grep -qa "the IVRS is broken: devices are not kept out of Nestling's memory" "$log"
ok $? "$name: Nestling says so"
# With iommu=off it is L1's. QEMU's has its registers where an AMD machine's FCH has those that L0 keeps from
# guests, so that only stores that L0 knows would come through: not those of Xen, which clears all
# registers by one instruction and then writes 8 bytes at a time.
tiny_image iommu 0x200000 '
	cld
	mov edi, 0xfed80000
	mov ecx, 0x4000
	xor eax, eax
	rep stosb
	mov dword [0x1f0000], 0x00123000
	mov dword [0x1f0004], 0x08000000
	movq mm0, [0x1f0000]
	movq [0xfed80008], mm0		; the base of the command buffer
	mov eax, [0xfed80008]
	sub eax, 0x00123000
	mov dx, 0xf4		; isa-debug-exit
	out dx, al'
export L1=$dir/iommu.elf QEMUFLAGS="-device amd-iommu"
run "registers, bare" BARE=1
ok "$status" "bare: the IOMMU's registers are L1's"
run "registers" STRICT=1 L0CMDLINE=iommu=off
ok "$status" "iommu=off: the IOMMU's registers are L1's"
run "registers, npt=off" STRICT=1 "L0CMDLINE=iommu=off npt=off"
ok "$status" "iommu=off npt=off: the IOMMU's registers are L1's"
done_testing
