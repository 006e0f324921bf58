; MADT: two processors, the second by both kinds of entries; SRAT: memory, and where more may come.
	db	1			; an XSDT
	dw	madt_end - madt
madt:	db	"APIC"
	dd	madt_end - madt
	times 36 - 8 db 0
	dd	0xfee00000, 1
	db	0, 8, 0, 0
	dd	1
	db	0, 8, 1, 1
	dd	1
	db	1, 12, 2, 0
	dd	0xfec00000, 0
	db	9, 16, 0, 0
	dd	1, 1, 1
madt_end:
	dw	srat_end - srat
srat:	db	"SRAT"
	dd	srat_end - srat
	times 48 - 8 db 0
	db	1, 40
	times 6 db 0
	dq	0, 0x40000000
	dd	0, 1
	dq	0
	db	1, 40
	times 6 db 0
	dq	0x100000000, 0x40000000
	dd	0, 3
	dq	0
srat_end:
