; Two options, one after the other: each begins at a partition (tests/unit/efi_rig.c, RIG_MAIN).
	db	4			; the list
	dw	1, 0x2a
	dd	1			; active
	dw	path_end - path
	dw	"A", "B", 0
path:	db	4, 1, 8, 0, 1, 2, 3, 1	; a partition
	db	4, 4
	dw	file_end - $ + 2
	dw	'\', "a", ".", "e", "f", "i", 0
file_end:
	db	0x7f, 0xff, 4, 0
path_end:
	db	1, 2, 3			; its data
