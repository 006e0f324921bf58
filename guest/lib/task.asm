; A task of its own for hardware task switches, which only 32-bit code has: it reads, writes and looks
; at CR3, and goes back the way that it was called. Relies on points/paging_task.c for its TSS.

%ifndef L1_64
bits 32
L1_TSS equ 0x48                         ; as in svm.h

global task_called, task_jumped, task_address, task_value, task_read, task_cr3

section .bss
alignb 4
task_address: resd 1                    ; in: what it reads, and behind it, writes
task_value: resd 1                      ; in: what it writes
task_read: resd 1                       ; out
task_cr3: resd 1

section .text
work:
	mov ebx, [task_address]
	mov eax, [ebx]
	mov [task_read], eax
	mov eax, [task_value]
	mov [ebx + 4], eax
	mov eax, cr3
	mov [task_cr3], eax
	clts                            ; the switch has set TS
	ret

task_called:                            ; NT is 1: IRET goes to the task that is named in the TSS
	call work
	iretd
	jmp task_called

task_jumped:
	call work
	jmp L1_TSS:0
	jmp task_jumped
%endif
