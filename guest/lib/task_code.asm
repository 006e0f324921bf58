; What the tasks of guest/points/task*.c run. Relies on their C code for the task state segments.

%ifndef L1_64
bits 32
extern task_body, event_fault
global event_fault_task
global task_entry, task_after_jmp, task_entry16, task_after_iret16
global task_registers, task_selector16

; The registers as they are, in the order in which instructions number them.
%macro RECORD_REGISTERS 0
	mov [task_registers], eax
	mov [task_registers + 4], ecx
	mov [task_registers + 8], edx
	mov [task_registers + 12], ebx
	mov [task_registers + 16], esp
	mov [task_registers + 20], ebp
	mov [task_registers + 24], esi
	mov [task_registers + 28], edi
%endmacro

section .text
; A task: keeps the registers it starts with, calls task_body(), and goes where that says: by JMP
; through the far pointer that it returns, or if there is none back by IRET.
task_entry:
	RECORD_REGISTERS
	call task_body
	test eax, eax
	jz task_return
	jmp far [eax]
task_after_jmp:
	jmp task_entry
task_return:
	iretd
	jmp task_entry                  ; entered again

; A task behind the gate of #PF: void event_fault(uint32_t error).
event_fault_task:
	call event_fault
	add esp, 4
	iretd
	jmp event_fault_task

; One of a 16-bit task state segment: CS has this as its base, and there is no stack.
task_entry16:
	RECORD_REGISTERS
	str ax
	mov [task_selector16], ax
	iretd
task_after_iret16:
	hlt

section .bss
alignb 4
task_registers: resd 8
task_selector16: resw 1
%endif
