#!/bin/bash
# An IOMMU is L1's. QEMU's has its registers where an AMD machine's FCH has those that L0 keeps from
# guests, so that only stores that L0 knows would come through: not those of Xen, which clears all
# registers by one instruction and then writes 8 bytes at a time.
. "$(dirname "$0")/lib.sh"
temporary_dir

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
run "bare" BARE=1 BOOT=direct
ok "$status" "an IOMMU's registers, bare"
run "npt=on" BOOT=direct STRICT=1
ok "$status" "on Nestling"
run "npt=off" BOOT=direct STRICT=1 L0CMDLINE=npt=off
ok "$status" "on Nestling, npt=off"
done_testing
