; An option that leads to the program itself (tests/unit/efi_rig.c, RIG_HOME).
	db	2			; the list
	dw	1
	dd	1			; active
	dw	path_end - path
	dw	"N", 0
path:	db	2, 1, 12, 0, 0xd0, 0x41, 3, 10, 0, 0, 0, 0
	db	1, 1, 6, 0, 0, 4
	db	4, 1, 8, 0, 1, 2, 3, 0
	db	4, 4
	dw	file_end - $ + 2
	dw	'\', "n", "e", "s", "t", "l", "i", "n", "g", ".", "e", "f", "i", 0
file_end:
	db	0x7f, 0xff, 4, 0
path_end:
