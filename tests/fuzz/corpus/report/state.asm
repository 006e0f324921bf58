; The state of a run of four images, as boot/efi/run_state.h has it, behind a header that is none.
	times 40 db 0
	dq	0x31455441545354	; RUN_MAGIC
	dd	0			; the checksum is put right
	dd	7, 0x11111111, 8, 3, 1	; whose, run, count, step, begun
	times 128 db 1, 1, 7, 0, 0, 0, 0, 0
	db	1
