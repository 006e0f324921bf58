/*
 * The program that an image ends with where the firmware clears memory at a reset: it stands in the
 * report's region, writes what fits of the report into the firmware's variables, and resets the
 * machine. The EFI program puts it there. Relies on boot/efi/report.h.
 */
#ifndef BOOT_EFI_RESIDENT_RESIDENT_H
#define BOOT_EFI_RESIDENT_RESIDENT_H

#include <stddef.h>
#include <stdint.h>

#include "boot/efi/report.h"

enum {
	RESIDENT_TABLE_PAGES = 6, /* 4 levels for 4 GiB, address for address, by 2 MiB */
	RESIDENT_TABLES_AT = REPORT_RESIDENT_ROOM - RESIDENT_TABLE_PAGES * 4096,
	RESIDENT_CODE_ROOM = 56 << 10, /* then comes the stack, which ends at the tables */
};
_Static_assert(RESIDENT_TABLES_AT == 0x1a000, "entry.asm");
_Static_assert(RESIDENT_CODE_ROOM == 0xe000, "resident.ld");

/*
 * How it begins. An image jumps to code with the address of it in EBX: in 32-bit protected mode,
 * with paging on or off, or in 64-bit mode; the region is mapped address for address, with rights
 * to execute. One processor does, for the last time.
 */
struct resident_head {
	uint8_t code[16];
	uint64_t services; /* hpa of EFI's runtime services: the EFI program fills it in */
};
_Static_assert(offsetof(struct resident_head, services) == 16, "entry.asm");

#endif
