/*
 * Places where no L1 has memory of its own: beyond memory, at MMIO, in ROM, in what the map says is
 * reserved near the top of memory or cut off memory above 4 GiB, where a hypervisor under L1 may
 * live. Relies on memory_map.h.
 */
#ifndef GUEST_PLACES_H
#define GUEST_PLACES_H

#include <stdbool.h>
#include <stdint.h>

struct place {
	const char *kind;
	uint64_t gpa;
	bool write; /* nobody is harmed by a write there */
};

/* The kinds; a place's kind is one of these pointers. */
extern const char place_beyond[], place_mmio[], place_rom[], place_last[], place_reserved[],
	place_highest[], place_too_high[];

/* Finds them all. top: the end of usable memory; is its last page free for writes? */
void places_find(uint64_t top, bool last_is_free);

/* The n-th place; NULL behind the last one. */
const struct place *place_at(unsigned int n);

#endif
