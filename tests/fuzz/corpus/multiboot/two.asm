; Multiboot2's information, as GRUB leaves it on UEFI.
	bits	32
	db	1
info:	dd	end - info, 0
	dd	1, 29
	db	"nestling la57=on npt=", 0
	times -($ - info) & 7 db 0
	dd	3, 22, 0x200000, 0x201234
	db	"pae x", 0
	times -($ - info) & 7 db 0
	dd	4, 16, 639, 0x700000
	dd	6, 64, 24, 0
	dq	0, 0x9f000
	dd	1, 0
	dq	0x100000, 0x7000000
	dd	1, 0
	dd	12, 16, 0x30000, 0
	dd	14, 28
	db	"RSD PTR ", 0, "OEMOEM", 0
	dd	0
	times -($ - info) & 7 db 0
	dd	21, 12, 0x100000, 0
	dd	0, 8
end:
