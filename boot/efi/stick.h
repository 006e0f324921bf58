/*
 * What "Everything" writes on the volume that the program was started from: the report for a
 * person, and its own state. Names are fixed. Relies on boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_STICK_H
#define BOOT_EFI_STICK_H

#include "boot/efi/efi_program.h"

#define STICK_REPORT "NESTLING.TXT"
#define STICK_STATE  "NESTLING.STA"

/* Adds text to the report's end and has the firmware write it out. */
EFI_STATUS stick_append(const struct efi_home *home, const char *text, UINTN length);

/* Reads up to size bytes of the state; size becomes what there is. */
EFI_STATUS stick_read_state(const struct efi_home *home, void *to, UINTN *size);

/* Writes it, from the file's beginning on. */
EFI_STATUS stick_write_state(const struct efi_home *home, const void *from, UINTN size);

/* Deletes it. That it is not there is no error. */
void stick_delete_state(const struct efi_home *home);

#endif
