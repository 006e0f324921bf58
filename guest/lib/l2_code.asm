; What L2 executes: the same few snippets for 16, 32 and 64 bits. L1 copies the piece for L2's mode
; to L2_CODE in L2's memory and points RIP at a snippet; each ends with VMMCALL, which L1
; intercepts. Relies on enum l2_snippet in l2.h, which has the same order as the tables here.

L2_STUBS equ 0x400                      ; as in l2.h: where the handlers of L2's IDT are
VECTORS equ 64                          ; as L2_VECTORS
FETCHED equ 0x600df00d                  ; as L2_FETCHED_VALUE in l2.h
SOFT_VECTOR equ 0x31                    ; as L2_SOFT_VECTOR

section .rodata

%define CODE_BITS 16
%define BX ebx
%define AX eax
%define RETURN iret
%define CODE l2_code16
%include "l2_code.inc"

%define CODE_BITS 32
%define RETURN iretd
%define CODE l2_code32
%include "l2_code.inc"

%define CODE_BITS 64
%define BX rbx
%define AX rax
%define RETURN iretq
%define CODE l2_code64
%include "l2_code.inc"
