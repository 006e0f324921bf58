; Multiboot1's information, as QEMU leaves it: two ranges, two modules.
	bits	32
	org	0x10000 - 1		; tests/fuzz/fuzz_multiboot.c: behind the byte of choices
	db	0
	dd	1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9
	dd	639, 0x10000, 0, line, 2, modules
	dd	0, 0, 0, 0
	dd	48, map, 0, 0, 0, loader
	times 88 - ($ - $$ - 1) db 0
modules: dd	0x200000, 0x201234, l1, 0, 0x202000, 0x203000, 0, 0
map:	dd	20
	dq	0, 0x9fc00
	dd	1, 20
	dq	0x100000, 0x7000000
	dd	1
line:	db	"nestling.bin npt=off", 0
l1:	db	"a=b c", 0
loader:	db	"Limine 9", 0
