; int probe_read(uintptr_t at, uint32_t *value) and int probe_write(uintptr_t at, uint32_t value):
; one access of L1's that may fault. 0, or 1 if the handler of the #PF that came between probe_begin
; and probe_end had it go on at probe_fault. Relies on the image's trap_handler for that.

global probe_read, probe_write, probe_begin, probe_end, probe_fault

%include "width.inc"

section .text
%ifdef L1_64
probe_begin:
probe_read:
	mov eax, [rdi]
	mov [rsi], eax
	xor eax, eax
	ret
probe_write:
	mov [rdi], esi
	xor eax, eax
	ret
probe_end:
%else
probe_begin:
probe_read:
	mov ecx, [esp + 4]
	mov edx, [esp + 8]
	mov eax, [ecx]
	mov [edx], eax
	xor eax, eax
	ret
probe_write:
	mov ecx, [esp + 4]
	mov edx, [esp + 8]
	mov [ecx], edx
	xor eax, eax
	ret
probe_end:
%endif
probe_fault:                            ; nothing was pushed
	mov eax, 1
	ret
