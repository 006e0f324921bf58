/*
 * The firmware's memory map, as e820 has it, and ExitBootServices (UEFI 2.10, 7.2 and 7.4.6).
 * Relies on boot/boot_info.h.
 */
#include "boot/efi/efi_program.h"
#include "boot/efi/memory_map.h"
#include "boot/efi_map.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	EFI_PERSISTENT_MEMORY = 14, /* UEFI 2.10, table 7.10; GNU-EFI's headers end before it */
	ATTEMPTS = 8,               /* events that change the map between the two calls are rare */
	SPARE_BYTES = 4096,         /* for descriptors that allocating the buffer itself adds */
};

static uint32_t e820_type(UINT32 efi_type)
{
	switch (efi_type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return MEM_USABLE;
	case EfiACPIReclaimMemory:
		return MEM_ACPI;
	case EfiACPIMemoryNVS:
		return MEM_NVS;
	case EfiUnusableMemory:
		return MEM_BAD;
	case EFI_PERSISTENT_MEMORY:
		return MEM_PERSISTENT;
	default:
		return MEM_RESERVED;
	}
}

/* As it is, for L1; one that is too large counts as none, which the core says. */
static void keep(const struct efi_memory_map *map, struct boot_efi *to)
{
	to->map_bytes = 0;
	if (map->bytes > BOOT_EFI_MAP_SIZE || !efi_map_valid(map->bytes, map->each))
		return;
	memcpy(to->map, map->at, map->bytes);
	to->map_bytes = (uint32_t)map->bytes;
	to->descriptor_bytes = (uint32_t)map->each;
	to->descriptor_version = map->version;
}

/* Neighbours of one type become one range: firmware lists hundreds of small ones. */
bool efi_tell_map(struct efi_memory_map map, struct boot_info *info)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;
	struct mem_range *last = NULL;

	keep(&map, &info->efi);
	info->range_count = 0;
	while ((descriptor = efi_memory_map_next(&map))) {
		uint32_t type = e820_type(descriptor->Type);
		uint64_t size = descriptor->NumberOfPages << PAGE_SHIFT;

		if (last && last->type == type &&
		    last->base + last->size == descriptor->PhysicalStart) {
			last->size += size;
			continue;
		}
		if (info->range_count == BOOT_MAX_RANGES)
			return false;
		last = &info->ranges[info->range_count++];
		*last = (struct mem_range){
			.base = descriptor->PhysicalStart,
			.size = size,
			.type = type,
		};
	}
	return true;
}

EFI_STATUS efi_leave(EFI_HANDLE image, struct boot_info *info)
{
	UINTN room = 0, key, descriptor_bytes;
	UINT32 version;
	EFI_STATUS status;
	void *map;

	/* The first call fails and tells the size. */
	efi->BootServices->GetMemoryMap(&room, NULL, &key, &descriptor_bytes, &version);
	room += SPARE_BYTES;
	status = efi->BootServices->AllocatePool(EfiLoaderData, room, &map);
	if (EFI_ERROR(status)) {
		efi_error("no memory for the firmware's memory map: give the machine more memory");
		return status;
	}
	for (int i = 0; i < ATTEMPTS; i++) {
		UINTN bytes = room;

		status = efi->BootServices->GetMemoryMap(&bytes, map, &key, &descriptor_bytes,
		                                         &version);
		if (EFI_ERROR(status))
			break;
		if (descriptor_bytes < sizeof(EFI_MEMORY_DESCRIPTOR)) {
			efi_error("the firmware's memory map has descriptors of %lu bytes, which "
			          "are too few: please report this machine",
			          (unsigned long)descriptor_bytes);
			return EFI_UNSUPPORTED;
		}
		if (!efi_tell_map((struct efi_memory_map){map, bytes, descriptor_bytes, version},
		                  info)) {
			efi_error("the firmware's memory map has more than %d ranges: please "
			          "report this machine",
			          BOOT_MAX_RANGES);
			return EFI_BUFFER_TOO_SMALL;
		}
		status = efi->BootServices->ExitBootServices(image, key);
		if (!EFI_ERROR(status))
			return EFI_SUCCESS;
	}
	efi_error("the firmware does not let go of the machine (status %lx): start it again",
	          (unsigned long)(status & ~EFI_ERROR_MASK));
	return status;
}
