/*
 * The firmware's next boot, which is to be this program again: an entry of our own in its boot
 * menu for as long as "Everything" runs. Relies on boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_BOOT_NEXT_H
#define BOOT_EFI_BOOT_NEXT_H

#include <stdbool.h>

#include "boot/efi/efi_program.h"

/* Makes the entry, with the words as its load options, and names it for the next boot only. */
EFI_STATUS boot_next_set(const struct efi_home *home, const char *words);

/* Has the firmware started this program by that entry? */
bool boot_next_was_ours(void);

/* Takes the entry away, and what names it for the next boot. */
void boot_next_forget(void);

#endif
