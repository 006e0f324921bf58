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
 * as firmware's maps are to be read. Neighbours of one type are merged. What would reach beyond
 * 2^64 - 1 is cut off. Returns false, and leaves the map as it was, when the map is full.
 */
bool memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* Is all of [base, base + size) of this type? */
bool memmap_covers(const struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* The first address at or above base that is not usable, base itself included. */
uint64_t memmap_usable_end(const struct memmap *map, uint64_t base);

/* Bytes that are usable. */
uint64_t memmap_usable_size(const struct memmap *map);

/* Bytes of the largest usable range within [floor, limit). */
uint64_t memmap_largest(const struct memmap *map, uint64_t floor, uint64_t limit);

/*
 * The highest (lowest) address, aligned (a power of two), of size usable bytes in [floor, limit).
 * Returns 0 when there is none; address 0 itself is never found.
 */
uint64_t memmap_find_high(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
                          uint64_t limit);
uint64_t memmap_find_low(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
                         uint64_t limit);

#endif
