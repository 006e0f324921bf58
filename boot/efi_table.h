/*
 * The tables that EFI's system table names, from the core, where the firmware is gone. Relies on
 * phys() of hv/phys.h for the first 4 GiB.
 */
#ifndef BOOT_EFI_TABLE_H
#define BOOT_EFI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { EFI_GUID_SIZE = 16 };

/*
 * The address that the system table at an hpa, of 64-bit firmware or of 32-bit, gives for the next
 * table of this GUID: from the entry *index on, which is moved behind it. 0 when there is no such.
 * UEFI 2.10, sections 4.3 and 4.6.
 */
uint64_t efi_table(uint64_t system_table, bool wide, const uint8_t guid[EFI_GUID_SIZE],
                   uint32_t *index);

#endif
