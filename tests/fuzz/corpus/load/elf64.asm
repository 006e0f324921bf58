; A multiboot2 ELF64 that may be moved.
	bits	32
	db	0
file:	db	127, "ELF", 2, 1, 1, 0
	times 8 db 0
	dw	2, 62
	dd	1
	dq	0xffffffff80100000, 64, 0
	dd	0
	dw	64, 56, 1, 0, 0, 0
	dd	1, 5
	dq	0, 0xffffffff80100000, 0x100000, end - file, 0x2000, 4096
header:	dd	0xe85250d6, 0, end - header, -(0xe85250d6 + end - header)
	dw	1, 0
	dd	16, 4, 6
	dw	2, 1
	dd	24, 0x100078, 0x100000, 0, 0
	dw	3, 1
	dd	12, 0x100000, 0
	dw	10, 0
	dd	24, 0x100000, 0x700000, 0x1000, 2
	dw	0, 0
	dd	8
end:
