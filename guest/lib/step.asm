; Instructions that L0 may have to execute itself, each stepped over by TF. Relies on
; paging_invlpg.c, which counts the #DBs.

extern invlpg_address
global step_run, step_ips

%include "width.inc"

section .text
; void step_run(void): with TF=1 through instructions that L0 may have to execute itself;
; step_ips has the addresses at which #DB must arrive, up to 0.
step_run:
	push BX
	mov BX, [invlpg_address]
	mov CX, cr3
	mov DX, cr0
	mov AX, cr4
	pushf
	or LONG [SP], 1 << 8
	popf
	mov cr3, CX
.s1:
	invlpg [BX]
.s2:
	mov cr0, DX
.s3:
	mov cr4, AX
.s4:
	mov AX, cr3
.s5:
	mov AX, cr0
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
	pushf
.s12:
	and LONG [SP], ~(1 << 8)
.s13:
	popf
.s14:
	pop BX
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
