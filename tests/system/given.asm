; Headers and entry of given.c, by Multiboot 1 or (-DVERSION=2) 2. Relies on nothing.

extern given
global entry

section .text
bits 32
align 8
header:
%if VERSION = 1
	dd 0x1badb002, 7, -(0x1badb002 + 7)	; modules by pages, memory, a screen
	dd 0, 0, 0, 0, 0
	dd 0, 0, 0, 0				; of pixels, any size
%else
	dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
	dw 5, 1					; a framebuffer, if there is one, of any size
	dd 20, 0, 0, 0
	align 8
	dw 0, 0
	dd 8
header_end:
%endif

entry:
	cli
	cld
	mov esp, stack_end
	push ebx
	push eax
	call given
	mov al, 0
	out 0xf4, al				; isa-debug-exit: success
.stop:
	cli
	hlt
	jmp .stop

section .bss
alignb 16
	resb 32768
stack_end:
