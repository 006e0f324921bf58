/*
 * Memory that the image may use beyond its own. Relies on memory_map.h.
 */
#ifndef GUEST_FREE_MEMORY_H
#define GUEST_FREE_MEMORY_H

#include <stdint.h>

struct free_memory {
	uint64_t start, end; /* the largest piece behind the image, whole pages below 3 GiB */
	uint64_t top;        /* the end of the highest usable memory there */
};

/* Finds it; ends the run as skipped if it is not that large. */
struct free_memory free_memory_find(uint64_t bytes);

#endif
