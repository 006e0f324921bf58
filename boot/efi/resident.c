/*
 * The resident program's place, its page tables, and whether the firmware can be called from there:
 * with memory as it is, address for address, since nobody called SetVirtualAddressMap(). Relies on
 * boot/efi/resident.asm for the program.
 */
#include "boot/efi/resident.h"

#include "boot/efi/efi_program.h"
#include "boot/efi/memory_map.h"
#include "boot/efi/resident/resident.h"
#include "boot/efi/variables.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	ENTRIES = 512,
	PRESENT_WRITABLE = 3,
	LARGE = 1 << 7,
	GIBS = 4,
};

extern const UINT8 efi_resident[], efi_resident_end[];

/* In this order: levels 4 and 3, and four of level 2. */
static void make_tables(UINT64 *tables)
{
	UINT64 *level3 = tables + ENTRIES, *level2 = level3 + ENTRIES;

	tables[0] = (UINT64)level3 | PRESENT_WRITABLE;
	for (UINT64 i = 0; i < GIBS; i++)
		level3[i] = (UINT64)(level2 + i * ENTRIES) | PRESENT_WRITABLE;
	for (UINT64 i = 0; i < GIBS * ENTRIES; i++)
		level2[i] = i * SIZE_2M | LARGE | PRESENT_WRITABLE;
}

static bool above_4g(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
	return (descriptor->Attribute & EFI_MEMORY_RUNTIME) &&
	       descriptor->PhysicalStart + (descriptor->NumberOfPages << PAGE_SHIFT) > SIZE_4G;
}

static bool services_below_4g(void)
{
	struct efi_memory_map map;
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	if ((UINT64)efi->RuntimeServices >= SIZE_4G || EFI_ERROR(efi_memory_map(&map)))
		return false;
	while ((descriptor = efi_memory_map_next(&map)))
		if (above_4g(descriptor))
			return false;
	return true;
}

const char *resident_place(void *region)
{
	UINT8 *room = (UINT8 *)region + REPORT_RESIDENT_AT;

	if (!services_below_4g())
		return "its runtime services lie above 4 GiB";
	if (!variables_fit())
		return "its store of variables has less than half left free";
	memset(room, 0, REPORT_RESIDENT_ROOM);
	memcpy(room, efi_resident, (size_t)(efi_resident_end - efi_resident));
	((struct resident_head *)room)->services = (UINT64)efi->RuntimeServices;
	make_tables((UINT64 *)(room + RESIDENT_TABLES_AT));
	return NULL;
}
