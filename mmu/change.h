/*
 * Shadow pages are shared by ASIDs and processors; what a TLB knows is not: it loads entries only
 * while its ASID runs on its processor. So a root that is entered again must not show what others
 * filled or compared meanwhile, unless L1's tables still say so. Relies on mmu/mmu.h.
 *
 * Each entry of a common page that comes to say something new is noted, its number in a ring, and
 * counted in mmu->changes. A root remembers the count that it has seen.
 */
#ifndef MMU_CHANGE_H
#define MMU_CHANGE_H

#include "mmu/mmu.h"

#define ALL_BELOW 0 /* sptes are numbered from 1 */

/*
 * Spte number index of the page is about to say something new; whole: all below it may be older
 * than that, and others were never shown it by this way. To be called before the guest's entry is
 * read (or read again) for it: who enters a guest without the lock, and finds nothing noted, may
 * see what is read afterwards.
 */
static inline void note_change(struct mmu *mmu, const struct shadow_page *page, unsigned int index,
                               bool whole)
{
	uint32_t number = (uint32_t)(&page->table[index] - mmu->tables) + 1;

	if (page->role.local || page->role.direct) /* nobody else's; nothing of a guest's tables */
		return;
	mmu->changed[mmu->changes % MMU_CHANGES] = whole ? ALL_BELOW : number;
	__atomic_store_n(&mmu->changes, mmu->changes + 1, __ATOMIC_SEQ_CST); /* A1 */
}

/* What was noted since the root saw it is read again. */
void catch_up(struct mmu *mmu, const struct paging_mode *mode, struct cached_root *root);

/*
 * The processor's guest runs at this moment: it may see all that there is. What is noted from here
 * on is new to it when it is entered again.
 */
static inline void saw_changes(const struct mmu *mmu, struct mmu_cpu *cpu)
{
	cpu->last->seen = mmu->changes;
}

#endif
