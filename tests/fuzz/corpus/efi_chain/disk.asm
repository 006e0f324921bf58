; An option that leads to a whole disk (tests/unit/efi_rig.c, RIG_STICK).
	db	2			; the list
	dw	1
	dd	1			; active
	dw	path_end - path
	dw	0
path:	db	2, 1, 12, 0, 0xd0, 0x41, 3, 10, 0, 0, 0, 0
	db	1, 1, 6, 0, 2, 4
	db	0x7f, 0xff, 4, 0
path_end:
