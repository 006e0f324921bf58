; A multiboot1 ELF32 of two segments.
	bits	32
	db	1
file:	db	127, "ELF", 1, 1, 1, 0
	times 8 db 0
	dw	2, 3
	dd	1, 0x100060, 52, 0, 0
	dw	52, 32, 2, 0, 0, 0
	dd	1, 0, 0x100000, 0x100000, end - file, end - file, 5, 4096
	dd	1, 96, 0x102000, 0x102000, 8, 0x1000, 6, 4096
	dd	0x1badb002, 3, -(0x1badb002 + 3), 0
end:
