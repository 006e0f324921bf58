; The way of another processor from SIPI to cpus_main(): real mode, in a copy of cpus_code below
; 1 MiB, then L1's own mode, on L1's tables; NMIs on the way are counted. Relies on cpus.c, which
; says what to load, and on the GDT of entry.asm.

MAX equ 8                               ; CPUS_MAX
STACK_BYTES equ 16384
CODE32 equ 0x08                         ; selectors, as in svm.h
DATA equ 0x10
CODE64 equ 0x18
MSR_EFER equ 0xc0000080
EARLY_NMIS equ 0x5ffc                   ; as in cpus.c

global cpus_code, cpus_nmi, cpus_code_end
extern cpus_main, cpus_cr0, cpus_cr3, cpus_cr4, cpus_efer, l1_gdt

section .rodata
bits 16
cpus_code:
	cli
	mov ax, cs
	mov ds, ax                      ; the copy begins at CS:0
	o32 lgdt [pointer - cpus_code]
	mov eax, cr0
	or al, 1                        ; PE
	mov cr0, eax
	jmp dword CODE32:protected      ; the image, where it was linked
cpus_nmi:                               ; by real mode's table
	push ds
	push word 0
	pop ds
	inc dword [EARLY_NMIS]
	pop ds
	iret
align 4
pointer:
	dw 0x27                         ; five descriptors are enough
	dd l1_gdt
cpus_code_end:

section .text
bits 32
protected:
	mov ecx, DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	xor ecx, ecx
	mov fs, ecx
	mov gs, ecx
	mov eax, 1
	cpuid
	shr ebx, 24                     ; the APIC id
	cmp ebx, MAX
	jae .stop
	mov eax, [cpus_cr4]
	mov cr4, eax
	mov eax, [cpus_cr3]
	mov cr3, eax
	mov ecx, MSR_EFER
	mov eax, [cpus_efer]
	xor edx, edx
	wrmsr
	mov eax, [cpus_cr0]
	mov cr0, eax                    ; paging is on from here
	lea eax, [ebx + 1]
	imul esp, eax, STACK_BYTES
	add esp, stacks
%ifdef L1_64
	jmp CODE64:.long
bits 64
.long:
	mov esp, esp                    ; the upper half is undefined
	mov edi, ebx
	call cpus_main                  ; does not return
bits 32
%else
	push ebx
	call cpus_main
%endif
.stop:
	cli
	hlt
	jmp .stop

section .bss
alignb 16
stacks:
	resb MAX * STACK_BYTES
