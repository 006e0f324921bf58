/*
 * A map of physical memory: sorted ranges without overlap, and the search for free ones.
 * Relies on boot/boot_info.h for the types.
 */
#ifndef BOOT_MEMMAP_H
#define BOOT_MEMMAP_H

#include <stdbool.h>

#include "boot/boot_info.h"

struct memmap {
	uint32_t count;
	struct mem_range range[BOOT_MAX_RANGES];
};

/*
 * Puts a range in; where ranges overlap, the type with the larger value of enum mem_type wins,
 * as firmware's maps are to be read. Neighbours of one type are merged. Returns false when the
 * map is full.
 */
bool memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* Is all of [base, base + size) of this type? */
bool memmap_covers(const struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/*
 * The highest (lowest) address, aligned (a power of two), of size usable bytes in [floor, limit).
 * Returns 0 when there is none.
 */
uint64_t memmap_find_high(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
			  uint64_t limit);
uint64_t memmap_find_low(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
			 uint64_t limit);

#endif
