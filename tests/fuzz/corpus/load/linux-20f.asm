; Linux's setup header, of protocol 20f.
	db	3
file:	times 0x1f1 db 0
	db	1			; setup_sects
	dw	0
	dd	2			; syssize
	times 0x1fe - ($ - file) db 0
	dw	0xaa55
	db	0xeb, 0x66, "HdrS"
	dw	0x20f
	times 0x211 - ($ - file) db 0
	db	1			; loadflags: loaded high
	times 0x22c - ($ - file) db 0
	dd	0x7fffffff, 0x1000
	db	1			; relocatable_kernel
	times 0x238 - ($ - file) db 0
	dd	255			; cmdline_size
	times 0x258 - ($ - file) db 0
	dq	0x200000
	dd	0x3000
	times 0x400 + 20 - ($ - file) db 0
