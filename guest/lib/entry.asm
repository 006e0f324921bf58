; Where the loader enters an L1 image: multiboot1, 32-bit protected mode without paging. Sets up
; segments and a stack, for a 64-bit image long mode on tables of its own, and calls l1_start().
; Relies on the entry state of the multiboot specification only.

MULTIBOOT_MAGIC equ 0x1badb002
MULTIBOOT_FLAGS equ 0x7                 ; modules page-aligned, memory and screen wanted
CODE32 equ 0x08                         ; selectors of the GDT below; guest/lib/svm.h has them, too
DATA   equ 0x10
CODE64 equ 0x18
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5
CR4_LA57 equ 1 << 12
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
COM1 equ 0x3f8
POLLS equ 10000
STACK_BYTES equ 32768

extern l1_start
global entry

section .multiboot progbits alloc noexec nowrite align=4
	dd MULTIBOOT_MAGIC
	dd MULTIBOOT_FLAGS
	dd -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	times 5 dd 0                    ; addresses: those of the ELF file count
	dd 0, 0, 0, 0                   ; a framebuffer, of any width, height and depth

section .text
bits 32
entry:
	cli
	cld
	mov esp, stack_end
	lgdt [gdt_pointer]              ; the loader's GDT may be anywhere
	jmp CODE32:.segments
.segments:
	mov ecx, DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	xor ecx, ecx
	mov fs, ecx
	mov gs, ecx
%ifndef L1_64
	push ebx                        ; the multiboot information
	push eax                        ; the loader's magic
	call l1_start                   ; does not return
%else
	mov esi, eax                    ; kept for l1_start: CPUID overwrites EAX and EBX
	mov edi, ebx
	mov eax, 0x80000000             ; is there a leaf 8000_0001?
	cpuid
	cmp eax, 0x80000001
	jb no_long_mode
	mov eax, 0x80000001
	cpuid
	bt edx, 29                      ; LM
	jnc no_long_mode
	call identity_map
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_level4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	or eax, CR0_PG                  ; long mode is active from here
	mov cr0, eax
	jmp CODE64:.long
bits 64
.long:
	mov eax, esi
	mov esi, edi                    ; the multiboot information
	mov edi, eax                    ; the loader's magic
	call l1_start                   ; does not return

bits 32
; Fills the boot tables: 4 GiB, address for address, in 2 MiB pages. Keeps ESI and EDI.
identity_map:
	mov dword [boot_level4], boot_level3 + 3        ; present, writable
	mov eax, boot_level2 + 3
	xor ecx, ecx
.level3:
	mov [boot_level3 + ecx * 8], eax
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jb .level3
	mov eax, 0x83                   ; present, writable, large
	xor ecx, ecx
.level2:
	mov [boot_level2 + ecx * 8], eax
	add eax, 2 << 20
	inc ecx
	cmp ecx, 4 * 512
	jb .level2
	ret

; A processor without long mode: say so on COM1 and end the run as failed.
no_long_mode:
	mov ebx, no_long_text
.next:
	mov dx, COM1 + 5                ; line status
	mov ecx, POLLS                  ; there may be no such port
.wait:
	in al, dx
	test al, 1 << 5                 ; room for a byte
	loopz .wait
	mov dx, COM1
	mov al, [ebx]
	test al, al
	jz .done
	out dx, al
	inc ebx
	jmp .next
.done:
	mov al, 1
	out 0xf4, al                    ; isa-debug-exit: failure
.stop:
	cli
	hlt
	jmp .stop

bits 64
; void paging_load(uint64_t cr3, bool la57): changes to other tables; between 4 and 5 levels there
; is no way but through protected mode without paging (APM 5.3.1).
global paging_load
paging_load:
	test esi, esi
	jnz .leave
	mov cr3, rdi
	ret
.leave:
	push CODE32
	lea rax, [rel .compat]
	push rax
	retfq                           ; into compatibility mode
bits 32
.compat:
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax                    ; leaves long mode; EFER.LME stays
	mov eax, cr4
	or eax, CR4_LA57
	mov cr4, eax
	mov cr3, edi
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
	jmp CODE64:.back
bits 64
.back:
	ret
%endif

section .data
align 8
global l1_gdt
gdt:
l1_gdt:
	dq 0
	dq 0x00cf9b000000ffff           ; CODE32: flat, accessed
	dq 0x00cf93000000ffff           ; DATA: flat, accessed
	dq 0x00af9b000000ffff           ; CODE64
	dq 0x00cffb000000ffff           ; for user.h: flat, CPL 3, accessed
	dq 0x00cff3000000ffff
	dq 0x00affb000000ffff
	dq 0x00009b000000ffff           ; CODE16 and DATA16: as real mode has them
	dq 0x000093000000ffff
	times 4 dq 0                    ; task state segments, filled by who uses them
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dd gdt
	dd 0                            ; the upper half that 64-bit LGDT would read
%ifdef L1_64
no_long_text:
	db "TAP version 13", 13, 10, "1..0 # SKIP no long mode", 13, 10, 0
%endif

section .bss
alignb 4096
%ifdef L1_64
boot_level4: resb 4096
boot_level3: resb 4096
boot_level2: resb 4 * 4096
%endif
alignb 16
	resb STACK_BYTES
stack_end:
