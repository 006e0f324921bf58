/*
 * "Everything": each image of a list bare and on Nestling, one after the other, with a reset
 * between; what they say comes into NESTLING.TXT. docs/hardware.md tells how a person sees it.
 * Relies on boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_EVERYTHING_H
#define BOOT_EFI_EVERYTHING_H

#include "boot/config.h"
#include "boot/efi/efi_program.h"

/*
 * Takes in the report of the step before, if there was one, and prepares the next in info: L1 and
 * the words for the core. After the last step it says what came of all, waits for a key and resets
 * the machine. Errors are said, and come back only where the run cannot go on.
 */
EFI_STATUS everything_prepare(const struct efi_home *home, const struct config *config,
                              struct boot_info *info);

#endif
