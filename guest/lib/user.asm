; Entering CPL 3 and virtual 8086 mode, and small pieces of code to run there. Relies on struct user
; in user.h and on exception.c, which brings L1 back behind its try_call(). They end by UD2: what
; Bochs tells a hypervisor of an INT that met a fault on its way is wrong.

RETURN_VECTOR equ 0x81                  ; as USER_RETURN_VECTOR
USER_CODE32 equ 0x23                    ; selectors, as in svm.h
USER_DATA equ 0x2b
USER_CODE64 equ 0x33
FLAGS_VM equ 1 << 17

global user_enter, user_code_begin, user_code_end

%include "width.inc"

section .text
; void user_enter(const struct user *): does not return.
user_enter:
%ifdef L1_64
	push USER_DATA
	push qword [rdi + 32]           ; sp
	push qword [rdi + 40]           ; flags
	push USER_CODE64
	push qword [rdi + 24]           ; ip
	mov rax, [rdi]
	mov rbx, [rdi + 8]
	mov rcx, [rdi + 16]
	iretq
%else
	mov edi, [esp + 4]
	mov ecx, USER_CODE32
	mov edx, USER_DATA
	mov esi, edx
	test dword [edi + 20], FLAGS_VM
	jz .protected
	xor ecx, ecx                    ; segments in virtual 8086 mode: 0
	xor edx, edx
	push ecx                        ; GS, FS, DS, ES
	push ecx
	push ecx
	push ecx
.protected:
	push edx                        ; SS
	push dword [edi + 16]           ; sp
	push dword [edi + 20]           ; flags
	push ecx                        ; CS
	push dword [edi + 12]           ; ip
	mov eax, [edi]
	mov ebx, [edi + 4]
	mov ecx, [edi + 8]
	mov ds, esi
	mov es, esi
	iretd
%endif

section .rodata
user_code_begin:
	dw .read - user_code_begin
	dw .write - user_code_begin
	dw .fetch - user_code_begin
	dw .invlpg - user_code_begin
	dw .read_cr0 - user_code_begin
	dw .read_cr3 - user_code_begin
	dw .write_cr3 - user_code_begin
	dw .clts - user_code_begin
	dw .lmsw - user_code_begin
	dw .smsw - user_code_begin
	dw .soft - user_code_begin
	dw .load_fs - user_code_begin
	dw .vmmcall - user_code_begin
	dw .int - user_code_begin
.read:
	mov eax, [BX]
	ud2
.write:
	mov [BX], ecx
	ud2
.fetch:
	call BX
	ud2
.invlpg:
	invlpg [BX]
	ud2
.read_cr0:
	mov AX, cr0
	ud2
.read_cr3:
	mov AX, cr3
	ud2
.write_cr3:
	mov cr3, AX
	ud2
.clts:
	clts
	ud2
.lmsw:
	lmsw ax
	ud2
.smsw:
	smsw eax
	ud2
.soft:
	int3
	ud2
.load_fs:
	mov fs, eax
	ud2
.vmmcall:
	vmmcall
	ud2
.int:
	int RETURN_VECTOR
user_code_end:
