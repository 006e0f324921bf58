; An L2 that changes its modes by itself, as a system does that boots: real mode, protected mode,
; paging, and 64-bit code. Each stage ends with VMMCALL, and L1 steps over it. L1 copies the code to
; L2_BOOT in L2's memory. Relies on L2's GDT as l2_new.c makes it.

L2_BOOT equ 0x9000                      ; as in l2.h
CODE32 equ 0x08                         ; L2's selectors, as in l2.h
DATA equ 0x10
CODE64 equ 0x18
MSR_EFER equ 0xc0000080

global l2_boot_code, l2_boot_bytes

section .rodata
align 16
l2_boot_code:
bits 16
	mov eax, cr0
	or al, 1                        ; PE
	mov cr0, eax
	jmp dword CODE32:L2_BOOT + protected - l2_boot_code
bits 32
protected:
	mov eax, DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	vmmcall                         ; first stage; L1 sets EBX, ESI, EDI and EBP
	mov cr4, ebp                    ; before EFER.LME, as APM 14.6.1 wants it
	mov cr3, ebx
	mov ecx, MSR_EFER
	rdmsr
	or eax, esi                     ; LME, or nothing
	wrmsr
	mov eax, cr0
	or eax, 1 << 31                 ; PG
	mov cr0, eax
	mov eax, [edi]
	vmmcall                         ; second stage; L1 sets EDI
	jmp CODE64:L2_BOOT + long_mode - l2_boot_code
bits 64
long_mode:
	mov eax, [rdi]
	vmmcall                         ; third stage
end_of_code:
align 4
l2_boot_bytes:
	dd end_of_code - l2_boot_code
