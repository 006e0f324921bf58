; Out of L1's paging and back: a piece of 32-bit code that runs with CR0.PG=0, among them one that
; turns on other paging, and one that goes to real mode. Relies on entry.asm's GDT, on identity-mapped
; memory below 4 GiB, and on IF=0.

CODE32 equ 0x08                         ; selectors, as in svm.h
DATA equ 0x10
CODE64 equ 0x18
CODE16 equ 0x38
DATA16 equ 0x40
CR0_PE equ 1 << 0
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
REAL_BASE equ 0x7000                    ; as MODES_REAL_BASE in modes.h
REAL_RESULT equ 0xe00                   ; as there
REAL_IVT equ 0xc00
REAL_VECTOR equ 0x20

global modes_run, modes_store, modes_paging, modes_real, modes_real_code, modes_real_code_end
global back_from_real

%include "width.inc"

section .bss
alignb 8
saved_cr0: resd 1
saved_cr3: resd 1
saved_cr4: resd 1
saved_esp: resd 1
saved_idt: resb 6

section .text
; void modes_run(code, struct modes_args *args): calls the code with PG=0 and EDI = args; afterwards
; CR4, CR3 and CR0 are as before.
modes_run:
%ifdef L1_64
	push rbx
	push rbp
	mov ebx, edi                    ; both are below 4 GiB
	mov edi, esi
	push CODE32
	lea rax, [rel .compat]
	push rax
	retfq                           ; into compatibility mode
bits 32
.compat:
	mov ax, DATA
	mov ss, ax
	call outside
	jmp CODE64:.back
bits 64
.back:
	pop rbp
	pop rbx
	ret
bits 32
%else
	PUSH_KEPT
	mov ebx, [esp + 20]             ; code
	mov edi, [esp + 24]             ; args
	call outside
	POP_KEPT
	ret
%endif

; EBX: the code. With EFER.LME=1 long mode is left and entered again; the caller is in 32-bit code.
outside:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov eax, cr4
	mov [saved_cr4], eax
	mov eax, cr3
	mov [saved_cr3], eax
	mov eax, cr0
	mov [saved_cr0], eax
	and eax, ~CR0_PG
	mov cr0, eax
	call ebx
	mov eax, [saved_cr4]
	mov cr4, eax
	mov eax, [saved_cr3]
	mov cr3, eax
	mov eax, [saved_cr0]
	mov cr0, eax
	ret

; Stores args.value, 8 bytes or 4, at args.address.
modes_store:
	mov eax, [edi]
	mov ecx, [edi + 4]
	mov [eax], ecx
	cmp dword [edi + 12], 8
	jne .done
	mov ecx, [edi + 8]
	mov [eax + 4], ecx
.done:
	ret

; Turns on paging with args.cr3, args.cr4 and args.efer; reads args.address into args.result, and
; writes args.value behind it; turns it off.
modes_paging:
	mov eax, cr4                    ; LME never without PAE: some machines do not like it
	or eax, CR4_PAE
	mov cr4, eax
	mov ecx, MSR_EFER
	rdmsr
	push eax
	mov eax, [edi + 24]
	wrmsr
	mov eax, [edi + 20]
	mov cr4, eax
	mov eax, [edi + 16]
	mov cr3, eax
	mov eax, [saved_cr0]
	mov cr0, eax
	jmp .paged                      ; a serializing habit of old
.paged:
	mov esi, [edi]
	mov eax, [esi]
	mov [edi + 28], eax
	mov eax, [edi + 4]
	mov [esi + 4], eax
	mov eax, cr0
	mov [edi + 32], eax
	and eax, ~CR0_PG
	mov cr0, eax
	mov eax, [saved_cr4]
	or eax, CR4_PAE
	mov cr4, eax
	pop eax
	xor edx, edx
	mov ecx, MSR_EFER
	wrmsr
	ret                             ; the caller loads CR4 as it was

; To real mode at REAL_BASE, where the code below is a copy, and back.
modes_real:
	mov [saved_esp], esp
	sidt [saved_idt]
	lidt [real_idt]
	jmp CODE16:REAL_BASE
back_from_real:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov esp, [saved_esp]
	lidt [saved_idt]
	ret

section .rodata
real_idt:
	dw 0x3ff
	dd REAL_BASE + REAL_IVT

bits 16
%define AT(label) (REAL_BASE + label - modes_real_code)
modes_real_code:
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
	smsw bx
	mov [REAL_BASE + REAL_RESULT], bx       ; without PE
	mov word [REAL_BASE + REAL_IVT + REAL_VECTOR * 4], AT(.handler)
	mov word [REAL_BASE + REAL_IVT + REAL_VECTOR * 4 + 2], 0
	int REAL_VECTOR
	mov [REAL_BASE + REAL_RESULT + 4], eax  ; what the handler left
	smsw ax
	or al, CR0_PE
	lmsw ax
	jmp dword CODE32:back_from_real
.handler:
	mov eax, 0x4ea1
	iret
modes_real_code_end:
