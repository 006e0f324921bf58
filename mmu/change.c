/*
 * What others changed in shared shadow pages. Relies on mmu/change.h, and on mmu/sync.c to compare.
 */
#include "mmu/change.h"
#include "mmu/spte.h"

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
