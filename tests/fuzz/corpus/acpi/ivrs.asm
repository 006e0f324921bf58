; An IVRS with a unit's three blocks, devices of every kind, and memory; and an MCFG.
	db	0
	dw	end - table
table:	db	"IVRS"
	dd	end - table
	times 48 - 8 db 0
	db	0x10, 1
	dw	old_end - old
old	equ	$ - 4
	dw	0x10, 0x40
	dq	0xfed80000
	dw	0, 0
	dd	0
	db	1, 0, 0, 0x10
	db	3, 0, 1, 1, 4, 0xff, 2, 0
	db	66, 8, 3, 0x40, 0, 5, 4, 0
	db	72, 0, 0, 0xc7, 3, 0xa1, 0, 1
old_end:
	db	0x40, 1
	dw	new_end - new
new	equ	$ - 4
	dw	0x10, 0x40
	dq	0xfed80000
	times 24 db 0
	db	71, 0x30, 3, 4, 0, 0, 0, 0, 4, 0x37, 3, 0
	db	240, 0x40, 3, 0x20, "AMDI0040"
	times 8 db 0
	db	2, 3, "xyz"
new_end:
	db	0x22, 8
	dw	32
	times 4 db 0
	dq	0x7f000000, 0x100000, 0
end:
	dw	mcfg_end - mcfg
mcfg:	db	"MCFG"
	dd	mcfg_end - mcfg
	times 44 - 8 db 0
	dq	0xb0000000
	dw	0
	db	0, 0xff
	dd	0
mcfg_end:
