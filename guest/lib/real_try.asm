; Real-mode code for modes_real (modes.h) that runs one instruction and tells the exception it
; raised. L1 copies it to MODES_REAL_BASE and the instruction, with RET, to real_try_slot in the
; copy. Relies on modes.asm for the way in and out.

DATA16 equ 0x40                         ; selectors, as in svm.h
CODE32 equ 0x08
CR0_PE equ 1 << 0
REAL_BASE equ 0x7000                    ; as in modes.h
REAL_RESULT equ 0xe00
REAL_IVT equ 0xc00
NONE equ 0xffff
VEC_UD equ 6
VEC_GP equ 13

extern back_from_real
global real_try_code, real_try_slot, real_try_end

section .rodata
bits 16
%define AT(label) (REAL_BASE + label - real_try_code)
real_try_code:
	mov ax, DATA16
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, cr0
	and eax, ~CR0_PE
	mov cr0, eax
	jmp 0:AT(.real)
.real:
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, REAL_BASE + REAL_IVT
	mov dword [REAL_BASE + REAL_IVT + VEC_UD * 4], AT(.invalid_opcode)      ; segment 0
	mov dword [REAL_BASE + REAL_IVT + VEC_GP * 4], AT(.protection)
	mov word [REAL_BASE + REAL_RESULT], NONE
	mov eax, REAL_BASE              ; an operand that is aligned
	mov bx, AT(real_try_slot)
	call bx
.done:
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	jmp dword CODE32:back_from_real
.invalid_opcode:
	mov word [REAL_BASE + REAL_RESULT], VEC_UD
	jmp .unwind
.protection:
	mov word [REAL_BASE + REAL_RESULT], VEC_GP
.unwind:
	mov sp, REAL_BASE + REAL_IVT
	jmp .done
real_try_slot:
	times 8 nop
real_try_end:
