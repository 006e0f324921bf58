; FADT and, behind it, its DSDT with _S3_ and _S4_.
	db	0			; an RSDT
	dw	fadt_end - fadt
fadt:	db	"FACP"
	dd	fadt_end - fadt
	times 64 - 8 db 0
	dd	0x604, 0		; PM1a_CNT, PM1b_CNT
	times 89 - 72 db 0
	db	2			; PM1_CNT_LEN
	times 244 - 90 db 0
fadt_end:
	dw	dsdt_end - dsdt
dsdt:	db	"DSDT"
	dd	dsdt_end - dsdt
	times 36 - 8 db 0
	db	8, "_S3_", 0x12, 10, 4, 10, 1, 10, 1, 0, 0, 0
	db	8, "_S4_", 0x12, 10, 4, 10, 2, 10, 2, 0, 0, 0
dsdt_end:
