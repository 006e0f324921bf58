; What the guest needs besides C: the addresses that the runner asks for, and the handlers of its IDTs.
; Assembled for 16, 32 and 64 bits (BITS); the runner's table has the handlers in this order.
%ifidn BITS, 16
bits 16
%define RETURN iret
%elifidn BITS, 32
bits 32
%define RETURN iretd
%else
bits 64
default abs
%define RETURN iretq
%endif

MAILBOX    equ 0x1000
PAGE       equ 0x1000
INTERRUPTS equ 44                       ; where struct mailbox counts them
EOI        equ 0xfee000b0               ; of the local APIC
EXCEPTION  equ 0x11                     ; the port

section .head
extern guest_main
global image_head
image_head:
	dd guest_main
%assign i 0
%rep 32
	dd exception %+ i
	%assign i i + 1
%endrep
	dd pic0, msi0, msi1

section .text
%assign i 0
%rep 32                                 ; none is expected: the runner hears which it was, and ends the run
exception %+ i:
	mov al, i
	out EXCEPTION, al
	jmp exception %+ i
	%assign i i + 1
%endrep

pic0:                                   ; of the first processor: the PIC is told by its port
%ifidn BITS, 64
	push rax
%else
	push eax
%endif
	lock inc dword [dword MAILBOX + INTERRUPTS]
	mov al, 0x20
	out 0x20, al
%ifidn BITS, 64
	pop rax
%else
	pop eax
%endif
	RETURN

%macro msi 2                            ; NAME MAILBOX: the local APIC is told
%1:
	lock inc dword [dword %2 + INTERRUPTS]
%ifidn BITS, 64
	push rax
	mov eax, EOI
	mov dword [rax], 0
	pop rax
%else
	mov dword [dword EOI], 0
%endif
	RETURN
%endmacro
msi msi0, MAILBOX
msi msi1, MAILBOX + PAGE
