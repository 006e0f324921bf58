; L1's exception and interrupt stubs, and try_call. Relies on exception.c, which fills the IDT and
; holds the state; the frame's layout is struct trap_frame in exception.h.

%include "width.inc"

STUB_BYTES equ 16
DATA equ 0x10                           ; L1's selector, as in svm.h

extern trap
extern try_stack
global vector_stubs, try_call, try_unwind

section .text
align STUB_BYTES
vector_stubs:
%assign vector 0
%rep 256
	align STUB_BYTES
 %if !(vector = 8 || (vector >= 10 && vector <= 14) || vector = 17 || vector = 21 || vector = 29 || vector = 30)
	push byte 0                     ; these have no error code: keep one layout
 %endif
	push strict dword vector
	jmp near save_and_call
 %assign vector vector + 1
%endrep

save_and_call:
%ifdef L1_64
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp                    ; struct trap_frame *
	mov rbp, rsp
	and rsp, -16                    ; as the ABI wants it at a call
	call trap
	mov rsp, rbp
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	add rsp, 16                     ; vector and error code
	iretq
%else
	pushad
	cld
	mov ecx, DATA                   ; user code's, or null after virtual 8086 mode
	mov ds, ecx
	mov es, ecx
	push esp                        ; struct trap_frame *
	call trap
	add esp, 4
	popad
	add esp, 8                      ; vector and error code
	iretd
%endif

; int try_call(void (*f)(void *), void *argument): -1, or the vector of the exception that ended f.
try_call:
	PUSH_KEPT
%ifdef L1_64
	sub rsp, 8                      ; keeps the stack aligned at the call
	mov [try_stack], rsp
	mov rax, rdi
	mov rdi, rsi
	call rax
%else
	mov [try_stack], esp
	mov eax, [esp + 20]             ; f
	push dword [esp + 24]           ; argument
	call eax
	add esp, 4
%endif
	mov eax, -1
	; Falls through. The handler of an expected exception returns here, too, with the vector in eax.
try_unwind:
	mov SP, [try_stack]
	mov LONG [try_stack], 0
%ifdef L1_64
	add rsp, 8
%endif
	POP_KEPT
	ret
