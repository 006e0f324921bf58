; A report's header and its text, as boot/efi/report.h has them; the last byte has the sums put right.
	dq	0x31545250454c544e	; REPORT_MAGIC
	dd	0x11111111, 3		; run, step
	dd	text_end - text, 0	; length, checksum
	dd	1, 2			; ended well; the step that is kept
	dd	text_end - text, 0
text:
	db	"TAP version 13", 10, "ok 1 - a.b: c", 10, "not ok 2 - d # TODO qemu: e", 10
	db	"# f", 13, 10, "not ok 3 - g", 10, "1..3", 10, "Bail out! h", 10, "=== i", 10
	db	"pae.elf,long.elf+levels=5", 10
	db	1
text_end:
