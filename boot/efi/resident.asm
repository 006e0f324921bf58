; Carries the resident program, which the EFI program copies to where it runs.

	global	efi_resident, efi_resident_end

	section	.rodata
	align	16
efi_resident:
	incbin	RESIDENT
efi_resident_end:
