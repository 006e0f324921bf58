; INVLPG with every kind of operand. Each form is a function that names the address in invlpg_address
; in its own way; invlpg_forms lists them in sections that end with 0. Relies on paging_invlpg.c for
; the base of FS and GS, which counts in the forms that use them.

global invlpg_address, invlpg_base, invlpg_forms

extern invlpg_window                    ; guest.ld: an address that RIP-relative operands reach

%include "width.inc"

section .bss
alignb 8
invlpg_address: resq 1
invlpg_base: resq 1                     ; of FS and GS
saved_sp: resq 1

; FORM: opens the next function of the list, with the address in rAX.
%assign forms 0
%macro FORM 0
 %assign forms forms + 1
form_ %+ forms:
	PUSH_KEPT
	mov [saved_sp], SP
	mov AX, [invlpg_address]
%endmacro
%macro DONE 0
	mov SP, [saved_sp]
	POP_KEPT
	ret
%endmacro
; BY register: [register].
%macro BY 1
	FORM
	mov %1, AX
	invlpg [%1]
	DONE
%endmacro

section .text
%ifdef L1_64
	BY rax
	BY rcx
	BY rdx
	BY rbx
	BY rsp
	BY rbp
	BY rsi
	BY rdi
 %assign n 8
 %rep 8
	BY r %+ n
  %assign n n + 1
 %endrep
%else
	BY eax
	BY ecx
	BY edx
	BY ebx
	BY esp
	BY ebp
	BY esi
	BY edi
%endif
PLAIN equ forms

	FORM
	sub AX, 0x18
	invlpg [AX + 0x18]              ; 8-bit displacement
	DONE
	FORM
	add AX, 0x80
	invlpg [AX - 0x80]
	DONE
	FORM
	sub AX, 0x12345678
	invlpg [AX + 0x12345678]        ; 32-bit displacement
	DONE
	FORM
	add AX, 0x7654321
	invlpg [AX - 0x7654321]
	DONE
	FORM
	mov SP, AX
	sub SP, 0x40
	invlpg [SP + 0x40]
	DONE
	FORM
	mov ebx, 0x1230
	sub AX, BX
	invlpg [AX + BX]                ; base and index
	DONE
	FORM
	mov ebx, 0x111
	sub AX, 0x888
	invlpg [AX + BX * 8]
	DONE
	FORM
	mov ebx, 0x1000
	sub AX, 0x4000 + 0x20
	invlpg [AX + BX * 4 + 0x20]
	DONE
	FORM
	mov CX, -0x800
	add AX, 0x1000 - 0x12340
	invlpg [AX + CX * 2 + 0x12340]
	DONE
	FORM
	mov BX, AX
	shr BX, 3                       ; index without base: the address is a multiple of 8
	invlpg [BX * 8 + 0]
	DONE
%ifdef L1_64
	FORM
	mov r12, AX
	mov r13d, 0x300
	sub r12, 0x600
	invlpg [r12 + r13 * 2]
	DONE
	FORM
	mov r13, AX
	invlpg [r13 + 0]                ; without displacement this encoding means another thing
	DONE
%endif
OPERANDS equ forms

	FORM
	invlpg [invlpg_window]          ; displacement alone; with 64 bits by SIB
	DONE
%ifdef L1_64
	FORM
	invlpg [rel invlpg_window]
	DONE
	FORM
	db 0x48                         ; REX.W, which changes nothing
	invlpg [rel invlpg_window]
	DONE
	FORM
	mov rbx, 0x7654321000000000
	or rbx, rax
	invlpg [ebx]                    ; 32-bit address
	DONE
	FORM
	mov ebx, 0xfffff000
	lea ecx, [rax + 0x1000]
	invlpg [ebx + ecx]              ; it wraps around
	DONE
	FORM
	db 0x67                         ; relative to EIP
	invlpg [rel invlpg_window]
	DONE
%else
	FORM
	lea ebx, [eax + 0x1000]
	invlpg [ebx + 0xfffff000]       ; wraps around
	DONE
	FORM
	mov ebx, 0x8765
	mov esi, 0x789b
	sub eax, [invlpg_base]          ; 0: the page begins where FS does
	add esi, eax
	db 0x67, 0x64, 0x0f, 0x01, 0x38 ; fs:[bx + si], which wraps around at 64 KiB
	DONE
	FORM
	db 0x67, 0x65, 0x0f, 0x01, 0x3e ; gs:[0x10]
	dw 0x0010
	DONE
	FORM
	mov ebx, 0x30
	db 0x67, 0x65, 0x0f, 0x01, 0x7f, 0xf0 ; gs:[bx - 0x10]
	DONE
%endif
LOW equ forms

	FORM
	sub AX, [invlpg_base]
	invlpg [fs:AX]
	DONE
	FORM
	sub AX, [invlpg_base]
	mov CX, AX
	invlpg [gs:CX + 0x10]
	DONE
	FORM
	sub AX, [invlpg_base]
	mov BX, AX
	xor ecx, ecx
	invlpg [fs:BX + CX * 4]
	DONE
	FORM
	db 0x2e, 0x0f, 0x01, 0x38       ; cs:[rAX]: flat
	DONE
	FORM
	db 0x26, 0x0f, 0x01, 0x38       ; es:[rAX]
	DONE
	FORM
	db 0x36, 0x66, 0x0f, 0x01, 0x38 ; ss:[rAX], operand size prefix
	DONE
SEGMENTS equ forms

section .rodata
align 8
invlpg_forms:
%assign i 0
%rep forms
 %if i = PLAIN || i = OPERANDS || i = LOW
	POINTER 0
 %endif
 %assign i i + 1
	POINTER form_ %+ i
%endrep
	POINTER 0
