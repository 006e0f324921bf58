/*
 * EFI's configuration tables. Relies on boot/firmware_memory.h.
 */
#include "boot/efi_table.h"
#include "boot/firmware_memory.h"

/* No firmware has more; what says it has is broken. */
enum { TABLES_MOST = 4096 };

struct layout {
	uint32_t count, table; /* offsets in the system table */
	uint32_t pointer;      /* bytes of a pointer */
};

uint64_t efi_table(uint64_t system_table, bool wide, const uint8_t guid[EFI_GUID_SIZE],
                   uint32_t *index)
{
	static const struct layout layouts[] = {{64, 68, 4}, {104, 112, 8}};
	const struct layout *layout = &layouts[wide];
	uint64_t entry_size = EFI_GUID_SIZE + layout->pointer, table, count;

	if (!system_table || !is_low(system_table, layout->table + layout->pointer) ||
	    memcmp(phys(system_table), "IBI SYST", 8) != 0)
		return 0;
	count = read_low(system_table + layout->count, layout->pointer);
	table = read_low(system_table + layout->table, layout->pointer);
	if (count > TABLES_MOST || !is_low(table, count * entry_size))
		return 0;
	while (*index < count) {
		uint64_t entry = table + entry_size * (*index)++;

		if (!memcmp(phys(entry), guid, EFI_GUID_SIZE))
			return read_low(entry + EFI_GUID_SIZE, layout->pointer);
	}
	return 0;
}
