/*
 * Reads the firmware's memory map. Relies on boot/efi/efi_program.h.
 */
#include "boot/efi/memory_map.h"
#include "boot/efi/efi_program.h"

enum { MAP_BYTES = 1 << 16 };

EFI_STATUS efi_memory_map(struct efi_memory_map *map)
{
	static UINT64 descriptors[MAP_BYTES / sizeof(UINT64)];
	UINTN bytes = sizeof(descriptors), key, each;
	UINT32 version = 0;
	EFI_STATUS status = efi->BootServices->GetMemoryMap(
		&bytes, (EFI_MEMORY_DESCRIPTOR *)descriptors, &key, &each, &version);

	*map = (struct efi_memory_map){(const UINT8 *)descriptors, EFI_ERROR(status) ? 0 : bytes,
	                               EFI_ERROR(status) ? 0 : each, version};
	return status;
}

const EFI_MEMORY_DESCRIPTOR *efi_memory_map_next(struct efi_memory_map *map)
{
	const UINT8 *at = map->at;

	if (map->each < sizeof(EFI_MEMORY_DESCRIPTOR) || map->bytes < map->each)
		return NULL;
	map->at += map->each;
	map->bytes -= map->each;
	return (const EFI_MEMORY_DESCRIPTOR *)at;
}
