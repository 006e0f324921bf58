/*
 * What of the firmware L0 and L1 want to know when it is gone: its system table and ACPI.
 * Relies on boot/efi/efi_program.h.
 */
#include "boot/efi/efi_program.h"
#include "hv/string.h"

/* The root pointer of ACPI 2.0 where there is one, else that of 1.0; 0 without ACPI. */
static uint64_t find_rsdp(void)
{
	EFI_GUID acpi20 = ACPI_20_TABLE_GUID, acpi10 = ACPI_TABLE_GUID;
	uint64_t rsdp = 0;

	for (UINTN i = 0; i < efi->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *table = &efi->ConfigurationTable[i];

		if (!memcmp(&table->VendorGuid, &acpi20, sizeof(acpi20)))
			return (uint64_t)table->VendorTable;
		if (!memcmp(&table->VendorGuid, &acpi10, sizeof(acpi10)))
			rsdp = (uint64_t)table->VendorTable;
	}
	return rsdp;
}

void efi_tell(struct boot_info *info)
{
	info->efi.system_table = (uint64_t)efi;
	info->efi.wide = sizeof(void *) == sizeof(uint64_t);
	info->rsdp = find_rsdp();
}
