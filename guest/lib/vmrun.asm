; void vmrun_once(struct l2_regs *regs, struct vmcb *vmcb): VMRUN once, with L2's registers that are
; not in the VMCB. GIF and what VMLOAD and VMSAVE move are the caller's business (svm.h).

global vmrun_once

%include "width.inc"

section .text

; Offsets in struct l2_regs; svm.h asserts them.
OF_RBX  equ 0
OF_RCX  equ 8
OF_RDX  equ 16
OF_RSI  equ 24
OF_RDI  equ 32
OF_RBP  equ 40
OF_R8   equ 48
OF_HOST equ 112

vmrun_once:
	PUSH_KEPT
%ifdef L1_64
	push rdi                        ; regs, found again by RSP, which #VMEXIT restores
	mov rax, rsi
	mov rbx, [rdi + OF_RBX]
	mov rcx, [rdi + OF_RCX]
	mov rdx, [rdi + OF_RDX]
	mov rsi, [rdi + OF_RSI]
	mov rbp, [rdi + OF_RBP]
 %assign n 8
 %rep 8
	mov r %+ n, [rdi + OF_R8 + (n - 8) * 8]
  %assign n n + 1
 %endrep
	mov rdi, [rdi + OF_RDI]
	vmrun
	xchg rdi, [rsp]                 ; regs; L2's RDI stays on the stack for now
	mov [rdi + OF_HOST], rax           ; hardware gives RAX back: a test looks at it
	mov [rdi + OF_RBX], rbx
	mov [rdi + OF_RCX], rcx
	mov [rdi + OF_RDX], rdx
	mov [rdi + OF_RSI], rsi
	mov [rdi + OF_RBP], rbp
 %assign n 8
 %rep 8
	mov [rdi + OF_R8 + (n - 8) * 8], r %+ n
  %assign n n + 1
 %endrep
	pop rax
	mov [rdi + OF_RDI], rax
%else
	mov edi, [esp + 20]             ; regs
	mov eax, [esp + 24]             ; vmcb
	push edi                        ; found again by ESP, which #VMEXIT restores
	mov ebx, [edi + OF_RBX]
	mov ecx, [edi + OF_RCX]
	mov edx, [edi + OF_RDX]
	mov esi, [edi + OF_RSI]
	mov ebp, [edi + OF_RBP]
	mov edi, [edi + OF_RDI]
	vmrun
	xchg edi, [esp]                 ; regs; L2's EDI stays on the stack for now
	mov [edi + OF_HOST], eax           ; hardware gives EAX back: a test looks at it
	mov [edi + OF_RBX], ebx
	mov [edi + OF_RCX], ecx
	mov [edi + OF_RDX], edx
	mov [edi + OF_RSI], esi
	mov [edi + OF_RBP], ebp
	pop eax
	mov [edi + OF_RDI], eax
%endif
	POP_KEPT
	ret
