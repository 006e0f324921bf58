/*
 * Where L0's own memory lies. Relies on boot/memmap.h.
 *
 *   below 4 GiB   image | heap | processors | tables | metadata
 *
 * The image and L0's own page tables have to be there, as 32-bit code loads CR3 while booting;
 * shadow tables only without nested paging, as a root of PAE has 32 bits of address, too. What
 * grows with the machine lies behind them as long as all is small; else it goes above 4 GiB, and
 * leaves the memory below to L1 and its devices.
 */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#include "boot/memmap.h"

/* Bytes, multiples of a page. */
struct layout_need {
	uint64_t near;       /* the image, and the heap of the first processor */
	uint64_t processors; /* the heap of all others */
	uint64_t tables;     /* of the pool of shadow pages */
	uint64_t metadata;   /* what mmu/ knows of those, and of L1's frames */
	bool tables_below;   /* they have to be below 4 GiB */
};

struct layout {
	struct mem_range below, above;         /* of size 0: all is in the first */
	uint64_t processors, tables, metadata; /* hpas; processors: where that heap begins */
};

#define POOL_LEAST (1ull << 20)
#define POOL_MOST  (64ull << 20)
#define POOL_EACH  (256ull << 10) /* of the pool, for NPT01 of each further processor */
enum { POOL_FRACTION = 64 };      /* of memory, unless configured */

/* Bytes of the pool but for POOL_EACH; configured: 0, or what pool= says. */
static inline uint64_t layout_pool(uint64_t configured, uint64_t memory)
{
	uint64_t pool = memory / POOL_FRACTION < POOL_MOST ? memory / POOL_FRACTION : POOL_MOST;

	if (configured)
		pool = configured;
	return pool > POOL_LEAST ? pool : POOL_LEAST;
}

enum { LAYOUT_BELOW_MOST = 128 << 20 }; /* bytes: what is more goes above, if it can */

/*
 * Finds places for all, aligned to 2 MiB, as high as may be, and marks them as reserved in the map.
 * False: there are none.
 */
bool layout_choose(struct memmap *free_map, const struct layout_need *need, struct layout *layout);

#endif
