/*
 * chain=: Nestling goes below the firmware, and what the word names is started on it. Relies on
 * boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_CHAIN_H
#define BOOT_EFI_CHAIN_H

#include "boot/config.h"
#include "boot/efi/efi_program.h"

/* Where the core was put, and where it is entered; the copy of efi_switch. */
struct chain_core {
	uint32_t entry;
	void *page;
};

/*
 * Makes Nestling resident and starts what chain= names, with cmdline= as its load options; where
 * Nestling cannot be below, one line says why, and that is started without it. Returns what it
 * returns; EFI_SUCCESS for chain=menu; EFI_ABORTED if a person wants to go back; an error, which
 * was said, if it cannot be loaded.
 */
EFI_STATUS chain_boot(EFI_HANDLE self, const struct efi_home *home, const struct config *config,
                      struct boot_info *info, const struct chain_core *core);

/* boot/efi/chain_menu.c: asks, and waits for menu= seconds. */
enum chain_choice { CHAIN_BELOW, CHAIN_WITHOUT, CHAIN_BACK };
enum chain_choice chain_ask(const struct config *config);

/* boot/efi/chain_target.c: loads it. *image is NULL for chain=menu. */
EFI_STATUS chain_load(EFI_HANDLE self, const struct efi_home *home, const struct config *config,
                      EFI_HANDLE *image);

/* Is it one file? Names are the same whatever their case, as FAT has it. */
bool chain_same_file(const struct efi_home *a, const struct efi_home *b);

/*
 * boot/efi/chain_option.c: what the firmware would start next, but for this program and those that
 * have started it.
 */
EFI_STATUS chain_load_next(EFI_HANDLE self, const struct efi_home *home, EFI_HANDLE *image);

/* Bytes of a device path without its end. */
UINTN chain_path_bytes(const EFI_DEVICE_PATH *path);

/* LoadImage() of a file; the path is absolute. */
EFI_STATUS chain_load_file(EFI_HANDLE self, EFI_HANDLE device, const char *path, EFI_HANDLE *image);

/* Load options of an image: bytes, which stay its own. */
void chain_set_options(EFI_HANDLE image, const void *bytes, UINTN size);

/*
 * boot/efi/chain_memory.c: memory for L0 from now on, which stays reserved, into info; and what
 * memory there is. NULL, or what is wrong.
 */
const char *chain_take_memory(const struct config *config, struct boot_info *info);

/* Gives back what L0 has not taken of it; all if it has taken nothing. */
void chain_give_back(struct boot_info *info);

/*
 * boot/efi/chain_processors.c: counts them into info, with a place for each. NULL, or why there is
 * one that could not be taken.
 */
const char *chain_find_processors(struct boot_info *info);

/*
 * Has all but this one wait for L0, out of the firmware's hands; NULL, or what is wrong, and then
 * they are the firmware's again. page: the copy of efi_switch.
 */
const char *chain_gather_processors(struct boot_info *info, void *page);

/* They are L1's now, and return to the firmware. */
void chain_release_processors(void);

/*
 * boot/efi/become_l1.asm: keeps what this processor is, waits for the door, and goes through it by
 * page; comes back as L1 with 1, or with 0 if the door says BOOT_DOOR_STAY.
 */
uint64_t efi_become_l1(struct boot_processor *state, volatile struct boot_door *door, void *page);

#endif
