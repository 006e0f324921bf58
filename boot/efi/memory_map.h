/*
 * The firmware's memory map, one descriptor after the other (UEFI 2.10, section 7.2). Relies on
 * boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_MEMORY_MAP_H
#define BOOT_EFI_MEMORY_MAP_H

#include <efi.h>

#include "boot/boot_info.h"

#include <stdbool.h>

/* What is left of a map: bytes at a place, of which a descriptor takes each. */
struct efi_memory_map {
	const UINT8 *at;
	UINTN bytes, each;
	UINT32 version; /* of a descriptor */
};

/* Gets it from the firmware as it is now; it stays until the next call. */
EFI_STATUS efi_memory_map(struct efi_memory_map *map);

/* The next descriptor. NULL at the end, and where the size of one is less than its known fields. */
const EFI_MEMORY_DESCRIPTOR *efi_memory_map_next(struct efi_memory_map *map);

/*
 * boot/efi/leave.c: writes it into info, as e820 has it and as it is, for L1; one that is larger
 * than BOOT_EFI_MAP_SIZE counts as none there. False: there are more than BOOT_MAX_RANGES.
 */
bool efi_tell_map(struct efi_memory_map map, struct boot_info *info);

#endif
