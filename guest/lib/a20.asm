; What masks address bit 20: a 32-bit function that is copied to where that bit is 0, since what masks
; it can go on only there: with paging off, on a stack of that place.
; Relies on hostile/a20.c, which copies it and asks for a way.

global a20_code, a20_code_end

section .text
bits 32

; void a20_code(void *stack_end, const struct way *way): masks, makes L0 exit, takes the mask away.
a20_code:
	push ebx
	push ebp
	push esi
	mov ebp, esp
	mov esi, [ebp + 20]		; struct way: 3 ports and values, masking and unmasking
	mov esp, [ebp + 16]		; its own stack
	lea eax, [esi + 24]		; copies the way there: it will not be reached meanwhile
	mov ecx, 6
.copy:
	sub eax, 4
	push dword [eax]
	loop .copy
	mov esi, esp			; the copy: [port << 16 | value] * 3, twice
	mov eax, cr0
	push eax
	and eax, 7fffffffh		; CR0.PG
	mov cr0, eax
	jmp .off			; serializes, for old processors
.off:
	call .write			; masks
	xor eax, eax
	cpuid				; exits
	call .write			; unmasks
	pop eax
	mov cr0, eax
	mov esp, ebp
	pop esi
	pop ebp
	pop ebx
	ret

; Three writes; port 0: none. The keyboard controller takes each when its buffer is empty.
.write:
	mov ecx, 3
.next:
	in al, 64h
	test al, 2
	jnz .next
	lodsd
	movzx ebx, ax
	shr eax, 16
	jz .skip
	mov edx, eax
	mov eax, ebx
	out dx, al
.skip:
	loop .next
	ret
a20_code_end:
