; Instructions that can be intercepted, in their forms and with prefixes, for 16-, 32- and 64-bit
; code: bytes, and the length that the assembler knows. The image compares nRIP with the length
; (length.c), a test on the host what svm/decode makes of the bytes (tests/unit/test_lengths.c).
; struct instruction_row in instructions.h is a row.
;
; rSI and rDI are addresses that exist; of the other registers only the numbers matter.

CODE_BYTES equ 16                       ; one more than an instruction can have
ROW_BYTES  equ 64

; Exit codes, as in svm/vmcb.h.
CR0_READ   equ 0x00
CR3_READ   equ 0x03
CR4_READ   equ 0x04
CR0_WRITE  equ 0x10
CR3_WRITE  equ 0x13
CR4_WRITE  equ 0x14
DR7_READ   equ 0x27
DR7_WRITE  equ 0x37
BREAKPOINT equ 0x43
IDTR_READ  equ 0x66
GDTR_READ  equ 0x67
LDTR_READ  equ 0x68
TR_READ    equ 0x69
TSC_READ   equ 0x6e
PMC_READ   equ 0x6f
PUSH_FLAGS equ 0x70
POP_FLAGS  equ 0x71
CPU_ID     equ 0x72
INT_RETURN equ 0x74
INT_N      equ 0x75
INVD_CACHE equ 0x76
PAUSED     equ 0x77
HALT       equ 0x78
INVL_PAGE  equ 0x79
INVL_ASID  equ 0x7a
IO         equ 0x7b
MSR        equ 0x7c
VM_RUN     equ 0x80
VM_MCALL   equ 0x81
VM_LOAD    equ 0x82
VM_SAVE    equ 0x83
ST_GI      equ 0x84
CL_GI      equ 0x85
SK_INIT    equ 0x86
TSCP_READ  equ 0x87
ICE_BP     equ 0x88
WBINVD_ALL equ 0x89
MONITORED  equ 0x8a
MWAITED    equ 0x8b
XSET_BV    equ 0x8d
RD_PRU     equ 0x8e

; ROW name, exit code, {bytes of prefixes}, {instruction}
%macro ROW 4
%%row:
	dw %2
	db %%end - %%start
	db DECODED                      ; is it one that L0 decodes?
%%start:
 %ifnempty %3
	db %3
 %endif
	%4
%%end:
	times CODE_BYTES - ($ - %%start) db 0xcc
	db %1
	times ROW_BYTES - ($ - %%row) db 0
%endmacro

; SVM_ROWS name, exit code, last byte: the forms of 0F 01 /n. F2h and F3h would be other instructions.
%macro SVM_ROWS 3
	ROW %1, %2, {}, {db 0x0f, 0x01, %3}
	ROW {%1, " 2e"}, %2, {0x2e}, {db 0x0f, 0x01, %3}
 %if CODE_BITS = 64
	ROW {%1, " 48"}, %2, {0x48}, {db 0x0f, 0x01, %3}
	ROW {%1, " 64 4f"}, %2, {0x64, 0x4f}, {db 0x0f, 0x01, %3}
 %endif
%endmacro

; PREFIX_ROWS name, exit code, {instruction}: prefixes that change nothing but the length.
%macro PREFIX_ROWS 3
	ROW %1, %2, {}, {%3}
	ROW {%1, " 66"}, %2, {0x66}, {%3}
	ROW {%1, " 36 67"}, %2, {0x36, 0x67}, {%3}
 %if CODE_BITS = 64
	ROW {%1, " 48"}, %2, {0x48}, {%3}
	ROW {%1, " 66 41"}, %2, {0x66, 0x41}, {%3}
	ROW {%1, " 48 66"}, %2, {0x48, 0x66}, {%3} ; a REX that does not count
 %endif
%endmacro

; MEMORY_ROWS name, exit code, mnemonic: every way to say an address. In 16-bit code [esi] has 67h.
%macro MEMORY_ROWS 3
	ROW {%1, " [si]"}, %2, {}, {%3 [BY_SI]}
	ROW {%1, " [si+8]"}, %2, {}, {%3 [BY_SI + 8]}
	ROW {%1, " [di+100h]"}, %2, {}, {%3 [BY_DI + 0x100]}
	ROW {%1, " [esi]"}, %2, {}, {%3 [esi]}
	ROW {%1, " [esi+edi]"}, %2, {}, {%3 [esi + edi]}
	ROW {%1, " [esi+edi+100h]"}, %2, {}, {%3 [esi + edi + 0x100]}
	ROW {%1, " [100h]"}, %2, {}, {%3 [abs 0x100]}
	ROW {%1, " es 66 [esi+8]"}, %2, {0x26, 0x66}, {%3 [esi + 8]}
 %if CODE_BITS = 64
	ROW {%1, " [rsi+rdi*2+8]"}, %2, {}, {%3 [rsi + rdi * 2 + 8]}
	ROW {%1, " [rip+20h]"}, %2, {}, {%3 [rel $ + 0x20]}
	ROW {%1, " [r13]"}, %2, {}, {%3 [r13]}
	ROW {%1, " [r12]"}, %2, {}, {%3 [r12]}
 %endif
%endmacro

%macro ROWS 0
 %assign DECODED 1
	PREFIX_ROWS "CPUID", CPU_ID, cpuid
	ROW "CPUID f2", CPU_ID, {0xf2}, cpuid
	ROW "CPUID f3", CPU_ID, {0xf3}, cpuid
	ROW "CPUID 66 13 times", CPU_ID, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}, cpuid
	PREFIX_ROWS "RDMSR", MSR, rdmsr
	PREFIX_ROWS "WRMSR", MSR, wrmsr
	SVM_ROWS "VMRUN", VM_RUN, 0xd8
	SVM_ROWS "VMMCALL", VM_MCALL, 0xd9
	SVM_ROWS "VMLOAD", VM_LOAD, 0xda
	SVM_ROWS "VMSAVE", VM_SAVE, 0xdb
	SVM_ROWS "STGI", ST_GI, 0xdc
	SVM_ROWS "CLGI", CL_GI, 0xdd
	SVM_ROWS "SKINIT", SK_INIT, 0xde
	SVM_ROWS "INVLPGA", INVL_ASID, 0xdf
	SVM_ROWS "XSETBV", XSET_BV, 0xd1
	PREFIX_ROWS "INVD", INVD_CACHE, invd
	PREFIX_ROWS "WBINVD", WBINVD_ALL, wbinvd
	ROW "WBNOINVD", WBINVD_ALL, {0xf3}, wbinvd
	PREFIX_ROWS "INT1", ICE_BP, {db 0xf1}
	PREFIX_ROWS "MOV from CR0", CR0_READ, {db 0x0f, 0x20, 0xc3}
	PREFIX_ROWS "MOV from CR3", CR3_READ, {db 0x0f, 0x20, 0xd8}
	PREFIX_ROWS "MOV from CR4", CR4_READ, {db 0x0f, 0x20, 0xe5}
	ROW "MOV from CR0, ModRM.mod=0", CR0_READ, {}, {db 0x0f, 0x20, 0x05}
	PREFIX_ROWS "MOV to CR0", CR0_WRITE, {db 0x0f, 0x22, 0xc3}
	PREFIX_ROWS "MOV to CR3", CR3_WRITE, {db 0x0f, 0x22, 0xd8}
	PREFIX_ROWS "MOV to CR4", CR4_WRITE, {db 0x0f, 0x22, 0xe5}
	ROW "MOV to CR0, ModRM.mod=2", CR0_WRITE, {}, {db 0x0f, 0x22, 0x83}
	PREFIX_ROWS "CLTS", CR0_WRITE, clts
	ROW "LMSW AX", CR0_WRITE, {}, {lmsw ax}
	MEMORY_ROWS "LMSW", CR0_WRITE, lmsw
	ROW "SMSW AX", CR0_READ, {}, {smsw ax}
	ROW "SMSW EBX", CR0_READ, {}, {smsw ebx}
	MEMORY_ROWS "SMSW", CR0_READ, smsw
	MEMORY_ROWS "INVLPG", INVL_PAGE, invlpg

 %assign DECODED 0
	ROW "IN AL, 80h", IO, {}, {in al, 0x80}
	ROW "IN AX, DX", IO, {}, {in ax, dx}
	ROW "IN EAX, DX", IO, {}, {in eax, dx}
	ROW "OUT 80h, AL", IO, {}, {out 0x80, al}
	ROW "OUT DX, AL 3e", IO, {0x3e}, {out dx, al}
	ROW "INSB", IO, {}, insb
	ROW "REP INSB", IO, {0xf3}, insb
	ROW "REP OUTSW es", IO, {0x26, 0xf3}, outsw
	ROW "OUTSB 67", IO, {0x67}, outsb
	ROW "SIDT", IDTR_READ, {}, {sidt [esi]}
	ROW "SGDT", GDTR_READ, {}, {sgdt [esi + 0x100]}
	ROW "SLDT", LDTR_READ, {}, {sldt [esi]}
	ROW "STR", TR_READ, {}, {str ax}
	ROW "MOV from DR7", DR7_READ, {}, {db 0x0f, 0x21, 0xfb}
	ROW "MOV to DR7 66", DR7_WRITE, {0x66}, {db 0x0f, 0x23, 0xfb}
	ROW "RDTSC", TSC_READ, {}, rdtsc
	ROW "RDTSC 66", TSC_READ, {0x66}, rdtsc
	ROW "RDTSCP", TSCP_READ, {}, {db 0x0f, 0x01, 0xf9}
	ROW "RDPMC", PMC_READ, {}, rdpmc
	ROW "PUSHF", PUSH_FLAGS, {}, pushf
	ROW "POPF", POP_FLAGS, {}, popf
	ROW "IRET", INT_RETURN, {}, iret
	ROW "INT 31h", INT_N, {}, {int 0x31}
	ROW "INT 31h 3e", INT_N, {0x3e}, {int 0x31}
	ROW "INT3", BREAKPOINT, {}, int3
	ROW "INT3 66", BREAKPOINT, {0x66}, int3
	ROW "PAUSE", PAUSED, {}, pause
	ROW "HLT", HALT, {}, hlt
	ROW "HLT 66", HALT, {0x66}, hlt
	ROW "MONITOR", MONITORED, {}, {db 0x0f, 0x01, 0xc8}
	ROW "MWAIT", MWAITED, {}, {db 0x0f, 0x01, 0xc9}
	ROW "RDPRU", RD_PRU, {}, {db 0x0f, 0x01, 0xfd}
	times ROW_BYTES db 0            ; the end: a row without an instruction
%endmacro

section .rodata
global instructions_16, instructions_32, instructions_64

align 16
instructions_16:
bits 16
%define CODE_BITS 16
%define BY_SI si
%define BY_DI di
	ROWS

align 16
instructions_32:
bits 32
%define CODE_BITS 32
%define BY_SI esi
%define BY_DI edi
	ROWS

align 16
instructions_64:
bits 64
%define CODE_BITS 64
%define BY_SI rsi
%define BY_DI rdi
	ROWS

section .note.GNU-stack noalloc noexec nowrite progbits
