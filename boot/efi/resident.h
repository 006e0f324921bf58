/*
 * Puts the resident program (boot/efi/resident) into the report's region. Relies on
 * boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_RESIDENT_H
#define BOOT_EFI_RESIDENT_H

/* Returns NULL, or why an image cannot end with it on this machine. */
const char *resident_place(void *region);

#endif
