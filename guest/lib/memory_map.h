/*
 * The machine's memory as the loader's map tells it. Relies on the multiboot 1 information
 * structure; it is copied, since the structure may lie in memory that the image writes to.
 */
#ifndef GUEST_MEMORY_MAP_H
#define GUEST_MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>

/* One range of gpas, in bytes; end is the first byte behind it. */
struct memory_range {
	uint64_t start, end;
	bool usable;
};

/* Copies the map, if there is one. Called with cmdline_init(). */
void memory_map_init(uint32_t magic, uint32_t information);

/* The n-th range in the loader's order; NULL behind the last one. */
const struct memory_range *memory_range(unsigned int n);

/* Is there usable memory from start to end, all in one range? */
bool memory_usable(uint64_t start, uint64_t end);

#endif
