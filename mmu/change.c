/*
 * What others changed in shared shadow pages. Relies on mmu/change.h, and on mmu/sync.c to compare.
 */
#include "mmu/change.h"
#include "mmu/spte.h"

#define ALL_BELOW 0 /* sptes are numbered from 1 */

void note_change(struct mmu *mmu, const struct shadow_page *page, unsigned int index, bool whole)
{
	uint32_t number = (uint32_t)(&page->table[index] - mmu->tables) + 1;

	if (page->role.local || page->role.direct) /* nobody else's; nothing of a guest's tables */
		return;
	mmu->changed[mmu->changes % MMU_CHANGES] = whole ? ALL_BELOW : number;
	__atomic_store_n(&mmu->changes, mmu->changes + 1, __ATOMIC_SEQ_CST); /* A1 */
}

void catch_up(struct mmu *mmu, const struct paging_mode *mode, struct cached_root *root)
{
	uint64_t end = mmu->changes;

	mmu->counters->catch_ups++;
	if (end - root->seen > MMU_CHANGES) {
		freshen(mmu, mode, root->page);
		return;
	}
	/* What this notes itself lies behind end, in places that have been read. */
	for (uint64_t n = root->seen; n != end; n++) {
		uint32_t number = mmu->changed[n % MMU_CHANGES];

		if (number == ALL_BELOW) {
			freshen(mmu, mode, root->page);
			return;
		}
		sync_number(mmu, number - 1);
	}
}
