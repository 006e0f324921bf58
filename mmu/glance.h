/*
 * A glance: where most searches for written tables find nothing, those marks that say so are
 * remembered, and looked at first. Relies on mmu/region.h.
 */
#ifndef MMU_GLANCE_H
#define MMU_GLANCE_H

#include "mmu/mmu.h"

static inline uint64_t any_of_8(const uint64_t *e)
{
	return e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
}

static inline uint64_t any_of_64(const uint64_t *e)
{
	uint64_t any = 0;

#pragma GCC unroll 8
	for (int i = 0; i < 64; i += 8)
		any |= any_of_8(e + i);
	return any;
}

enum { GLANCE_CALM = 2, GLANCE_HOLDS };

/* From here on a search has to look elsewhere, too, or to believe other marks. */
static inline void glance_forget(struct mmu *mmu)
{
	mmu->glance.calm = 0;
}

/*
 * Behind a search: remembers where the next one has to look, if this is the second one that found
 * nothing.
 */
void glance_remember(struct mmu *mmu);

/* Would a search find nothing? False: it has to be made. */
bool glance_is_enough(struct mmu *mmu);

#endif
