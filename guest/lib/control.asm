; MOV to and from control registers by every general register, and in encodings that a compiler does
; not use; SMSW and LMSW in their forms. Relies on paging_control.c, which knows the order.

global control_value, control_by_register, control_odd_forms, control_smsw, control_smsw_memory
global control_lmsw, control_lmsw_memory

%include "width.inc"

%ifdef L1_64
%define REGISTERS rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
%define CONTROLS cr0, cr2, cr3, cr4, cr8
%else
%define REGISTERS eax, ecx, edx, ebx, esp, ebp, esi, edi
%define CONTROLS cr0, cr2, cr3, cr4
%endif

section .bss
alignb 8
control_value: resq 1
saved_sp: resq 1

section .text
; EACH_REGISTER control, registers...: a function each: control := control_value, and back through
; the same register, which meanwhile has the complement.
%macro EACH_REGISTER 2-*
 %assign control_number control_number + 1
 %assign register_number 0
 %define CONTROL %1
 %rep %0 - 1
  %rotate 1
by_ %+ control_number %+ _ %+ register_number:
	PUSH_KEPT
	mov [saved_sp], SP
	mov %1, [control_value]
	mov CONTROL, %1
	not %1
	mov %1, CONTROL
	mov [control_value], %1
	mov SP, [saved_sp]
	POP_KEPT
	ret
  %assign register_number register_number + 1
 %endrep
%endmacro
%macro EACH_CONTROL 1-*
 %rep %0
	EACH_REGISTER %1, REGISTERS
  %rotate 1
 %endrep
%endmacro

%assign control_number -1
	EACH_CONTROL CONTROLS

; CR3 := control_value by rAX, in other encodings of the same instruction; a function each.
%macro ODD 2+
%1:
	mov AX, [control_value]
	db %2
	ret
%endmacro
	ODD odd_prefix_66, 0x66, 0x0f, 0x22, 0xd8 ; the operand size counts for nothing
	ODD odd_prefix_f3, 0xf3, 0x0f, 0x22, 0xd8
	ODD odd_prefix_segment, 0x2e, 0x0f, 0x22, 0xd8
	ODD odd_prefix_67, 0x67, 0x0f, 0x22, 0xd8
	ODD odd_mod_0, 0x0f, 0x22, 0x18 ; ModRM.mod says memory; it is a register all the same
	ODD odd_mod_1, 0x0f, 0x22, 0x58
	ODD odd_mod_2, 0x0f, 0x22, 0x98
%ifdef L1_64
	ODD odd_rex_w, 0x48, 0x0f, 0x22, 0xd8
	ODD odd_rex_x, 0x42, 0x0f, 0x22, 0xd8
	ODD odd_66_rex, 0x66, 0x48, 0x0f, 0x22, 0xd8
%endif

; What SMSW says: control_value = register form with 16, 32 and 64 bits over a pattern; one function
; for each width.
%macro SMSW_TO 1
	mov AX, -1
	smsw %1
	mov [control_value], AX
	ret
%endmacro
smsw_16: SMSW_TO ax
smsw_32: SMSW_TO eax
%ifdef L1_64
smsw_64: SMSW_TO rax
%endif
; To memory it is 16 bits, whatever the operand size.
control_smsw_memory:
	smsw [control_value]
	db 0x66
	smsw [control_value + 4]
	ret
control_lmsw:
	mov eax, [control_value]
	lmsw ax
	ret
control_lmsw_memory:
	lmsw [control_value]
	ret

section .rodata
align 8
; By control register, then by general register.
control_by_register:
%assign c 0
%rep control_number + 1
 %assign r 0
 %rep register_number
	POINTER by_ %+ c %+ _ %+ r
  %assign r r + 1
 %endrep
 %assign c c + 1
%endrep
control_odd_forms:
	POINTER odd_prefix_66, odd_prefix_f3, odd_prefix_segment, odd_prefix_67
	POINTER odd_mod_0, odd_mod_1, odd_mod_2
%ifdef L1_64
	POINTER odd_rex_w, odd_rex_x, odd_66_rex
%endif
	POINTER 0
control_smsw:
	POINTER smsw_16, smsw_32
%ifdef L1_64
	POINTER smsw_64
%endif
