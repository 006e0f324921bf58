; Where the further processors begin after SIPI, all at once: in real mode, in a copy of this page
; below 1 MiB. Each says its APIC id to a list and halts; or, if that is in the list of those that are
; wanted, it takes its place there, goes to L0's mode under its tables, in which the copy is mapped
; one to one meanwhile, and on to machine_join() on the stack of that place. Relies on
; boot/processors.c, which copies it and fills ap_data in.

	global	ap_begin, ap_taken, ap_data, ap_end
	extern	gdtr				; hv/move.asm: the table of which ap_data has the hpa
	extern	machine_join

%define AT(symbol)	(symbol - ap_begin)	; from the start of the page
CR0_PE		equ 1 << 0
CR0_ET		equ 1 << 4
CR0_NE		equ 1 << 5
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
MSR_EFER	equ 0xc0000080
EFER_NXE	equ 1 << 11
%ifidn __?OUTPUT_FORMAT?__, elf64
LONG_MODE	equ 1 << 8			; EFER.LME
%else
LONG_MODE	equ 0
%endif
DATA		equ 0x18			; selector of hv/move.asm's gdt
LEAF_FEATURES	equ 1
ID_SHIFT	equ 24				; of its EBX
TAKEN		equ -1				; a place whose processor has come; an id that none has
STACK_SHIFT	equ 14				; hv/stack.h

	section	.rodata
	align	16
	bits	16
ap_begin:
	cli					; INIT has cleared IF; an NMI would be fatal here anyway
	cld
	mov	ax, cs
	mov	ds, ax				; the page by its segment
	mov	eax, [AT(ap_data.id_leaf)]
	xor	ecx, ecx
	cpuid					; EDX = the id, of leaf 0Bh
	cmp	dword [AT(ap_data.id_leaf)], LEAF_FEATURES
	jne	.id
	shr	ebx, ID_SHIFT
	mov	edx, ebx			; EDX = the id, of 8 bits
.id:	mov	ax, cs
	xor	ebx, ebx
	mov	bx, ax
	shl	ebx, 4				; EBX = the page's address
	o32 lgdt [AT(ap_data.gdt)]		; all 32 bits of the base
	mov	eax, CR0_PE | CR0_ET | CR0_NE	; CD and NW go, too: caches are on
	mov	cr0, eax
	jmp	far dword [AT(ap_data.to32)]	; into the 32-bit segment

	bits	32
; Where one comes from the firmware's 64-bit mode instead (boot/efi/become_l1.asm): 32-bit protected
; mode without paging, EBX = the page.
ap_taken:
	mov	esi, ebx			; CPUID overwrites it
	mov	eax, [esi + AT(ap_data.id_leaf)]
	xor	ecx, ecx
	cpuid
	cmp	dword [esi + AT(ap_data.id_leaf)], LEAF_FEATURES
	jne	.id
	shr	ebx, ID_SHIFT
	mov	edx, ebx
.id:	mov	ebx, esi
	lgdt	[ebx + AT(ap_data.gdt)]
	jmp	far dword [ebx + AT(ap_data.to32)]

ap_protected:
	mov	eax, DATA			; flat
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	esi, [ebx + AT(ap_data.ids)]
	mov	ecx, [ebx + AT(ap_data.id_count)]
	mov	eax, edx
	mov	ebp, TAKEN
.place:	jecxz	.other
	cmp	[esi], eax
	je	.take
	add	esi, 4
	dec	ecx
	jmp	.place
.take:	lock cmpxchg [esi], ebp			; one processor has it
	je	.go
.other:	mov	eax, 1
	lock xadd [ebx + AT(ap_data.arrivals)], eax	; EAX = those before
	cmp	eax, [ebx + AT(ap_data.arrived_max)]
	jae	.halt
	mov	edi, [ebx + AT(ap_data.arrived)]
	mov	[edi + eax * 4], edx
.halt:	hlt					; until INIT
	jmp	.halt

.go:	sub	esi, [ebx + AT(ap_data.ids)]
	shr	esi, 2				; ESI = the number of the place
	mov	eax, [ebx + AT(ap_data.cr4)]	; PAE, and LA57 if L0 has 5 levels
	mov	cr4, eax
	mov	eax, [ebx + AT(ap_data.cr3)]	; L0's own tables
	mov	cr3, eax
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, LONG_MODE | EFER_NXE
	wrmsr
	mov	eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE
	mov	cr0, eax			; paging, and with it long mode, if it is to be
%ifidn __?OUTPUT_FORMAT?__, elf64
	jmp	far dword [ebx + AT(ap_data.to64)]	; into the 64-bit segment

	bits	64
ap_long:
	xor	eax, eax
	mov	ds, ax				; null selectors do for data in 64-bit mode
	mov	es, ax
	mov	ss, ax
	mov	ebx, ebx			; the upper halves are undefined after the switch
	mov	esi, esi
	inc	rsi
	shl	rsi, STACK_SHIFT
	mov	rsp, [rbx + AT(ap_data.stacks)]
	add	rsp, rsi			; the top of its own
	mov	rax, gdtr
	lgdt	[rax]				; the same table by its linked address
	mov	rax, machine_join
	call	rax				; from the page to where L0 was linked
	ud2					; it does not return
%else
ap_long:
	inc	esi
	shl	esi, STACK_SHIFT
	mov	esp, [ebx + AT(ap_data.stacks)]
	add	esp, esi			; the top of its own
	lgdt	[gdtr]				; the same table by its linked address
	mov	eax, machine_join
	call	eax				; from the page to where L0 was linked
	ud2					; it does not return
%endif

	align	8
ap_data:					; struct ap_data
.gdt:	dw	0				; limit
	dd	0				; hpa
.to32:	dd	AT(ap_protected)		; + the page's address
	dw	0x10				; CODE32
.to64:	dd	AT(ap_long)			; + the page's address
	dw	0x08				; CODE64
.cr3:	dd	0
.cr4:	dd	0
.stacks: dq	0				; the first one's low end
.ids:	dd	0				; hpa: those that are wanted
.id_count: dd	0
.arrived: dd	0				; hpa: the others
.arrived_max: dd 0
.arrivals: dd	0				; ... that came, be it more than fit
.id_leaf: dd	0				; of CPUID, that has the id
ap_end:
