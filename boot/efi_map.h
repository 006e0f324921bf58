/*
 * EFI's memory map, as firmware gave it and as L1 gets it: its runtime services need it whole, with
 * each attribute (UEFI 2.10, 7.2.3 and 8.4). Relies on boot/boot_info.h and boot/memmap.h.
 */
#ifndef BOOT_EFI_MAP_H
#define BOOT_EFI_MAP_H

#include "boot/boot_info.h"
#include "boot/memmap.h"

/* UEFI 2.10, table 7.10: those that are told apart here. */
enum efi_memory_type {
	EFI_MEMORY_RESERVED = 0,
	EFI_MEMORY_LOADER_CODE = 1,
	EFI_MEMORY_LOADER_DATA = 2,
	EFI_MEMORY_BOOT_CODE = 3,
	EFI_MEMORY_BOOT_DATA = 4,
	EFI_MEMORY_RUNTIME_CODE = 5,
	EFI_MEMORY_RUNTIME_DATA = 6,
	EFI_MEMORY_FREE = 7,
};

/* As firmware of 32 bits has it, too; there may be more behind it. */
struct efi_descriptor {
	uint32_t type, padding;
	uint64_t base, virtual, pages, attributes;
};
_Static_assert(offsetof(struct efi_descriptor, base) == 8, "UEFI 7.2.3");
_Static_assert(offsetof(struct efi_descriptor, attributes) == 32, "UEFI 7.2.3");

/* Is it a map: descriptors of a possible size, and whole ones? */
bool efi_map_valid(uint64_t bytes, uint64_t descriptor_bytes);

/*
 * Reserves in the map what boot services have left. It is free, but some tables that firmware tells
 * of lie in it, which L1 may still want to read. Returns false when the map is full.
 */
bool efi_map_spare(const struct boot_efi *efi, struct memmap *map);

/* Adds what runtime services are and have, as MEM_RUNTIME. Returns false when the map is full. */
bool efi_map_runtime(const struct boot_efi *efi, struct memmap *map);

/* The most bytes that efi_map_out() writes, for a map that L1 is told with so many ranges. */
uint64_t efi_map_out_size(const struct boot_efi *efi, uint32_t ranges);

/*
 * Writes the map for L1: what L1 is not told to be usable of free memory is reserved there, all
 * else is the firmware's. Returns the bytes.
 */
uint32_t efi_map_out(const struct boot_efi *efi, const struct memmap *told, uint8_t *to);

#endif
