; Instructions that L0 may have to execute itself, each stepped over by TF. Relies on
; paging_invlpg.c, which counts the #DBs.

extern invlpg_address
global step_run, step_ips

%ifdef L1_64
bits 64
default abs
%define CX rcx
%define BX rbx
%define POINTER dq
%else
bits 32
%define CX ecx
%define BX ebx
%define POINTER dd
%endif

section .text
; void step_run(void): with TF=1 through instructions that L0 may have to execute itself;
; step_ips has the addresses at which #DB must arrive, up to 0.
step_run:
%ifdef L1_64
	push rbx
	mov rbx, [invlpg_address]
	mov rcx, cr3
	mov rdx, cr0
	mov rax, cr4
	pushfq
	or qword [rsp], 1 << 8
	popfq
%else
	push ebx
	mov ebx, [invlpg_address]
	mov ecx, cr3
	mov edx, cr0
	mov eax, cr4
	pushfd
	or dword [esp], 1 << 8
	popfd
%endif
	mov cr3, CX
.s1:
	invlpg [BX]
.s2:
%ifdef L1_64
	mov cr0, rdx
.s3:
	mov cr4, rax
.s4:
	mov rax, cr3
.s5:
	mov rax, cr0
%else
	mov cr0, edx
.s3:
	mov cr4, eax
.s4:
	mov eax, cr3
.s5:
	mov eax, cr0
%endif
.s6:
	clts
.s7:
	smsw eax
.s8:
	lmsw ax
.s9:
	mov eax, [BX]
.s10:
	nop
.s11:
%ifdef L1_64
	pushfq
.s12:
	and qword [rsp], ~(1 << 8)
.s13:
	popfq
.s14:
	pop rbx
%else
	pushfd
.s12:
	and dword [esp], ~(1 << 8)
.s13:
	popfd
.s14:
	pop ebx
%endif
	ret

section .rodata
align 8
step_ips:
%assign i 1
%rep 14
	POINTER step_run.s %+ i
 %assign i i + 1
%endrep
	POINTER 0
