/*
 * Filling: what a walk has found becomes sptes. For mmu/fault.c; relies on mmu/spte.h.
 */
#ifndef MMU_FILL_H
#define MMU_FILL_H

#include "mmu/change.h"
#include "mmu/spte.h"
#include "mmu/track.h"

/*
 * Where filling has to begin: the first page on the way whose spte does not say what the walk has
 * just found in the guest's table, and checked.
 */
struct shadow_page *descend(struct mmu *mmu, const struct paging_mode *mode,
                            struct shadow_page *page, uint64_t address, const struct walk *walk);

/*
 * Fills what is missing from the root to the leaf; false: nothing. walk is NULL in a direct map.
 */
bool fill(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *root,
          uint64_t address, uint32_t access, const struct walk *walk);

/*
 * What becomes an spte must not be what the walk read a while ago, unless there is no other
 * processor that could have written since: a comparison amid the fault took note of all writes so
 * far, for the sptes that there were; a table that gets its first shadow amid it is tracked from
 * then on only; and another guest may have been entered. A and D may have come: a walk can meet an
 * entry twice.
 */
static inline bool is_outdated(struct mmu *mmu, const struct paging_mode *mode,
                               const struct shadow_page *page, unsigned int index, uint64_t entry)
{
	uint64_t now;

	bool alone = mmu->cpus && mmu->cpus == mmu->home; /* else it is not known */

	if (alone || !mode || page->role.direct || is_passthrough(page) ||
	    in_registers(mode, page->role.level))
		return false;
	now = entry_behind(mmu, mode, page, index);
	return (now ^ entry) & ~(now & (PTE_A | PTE_D)); /* T18 */
}

/*
 * Makes spte number index this leaf, for this entry of the guest's. False: it is that already.
 * small: in a guest's page of level 1, under nested paging.
 */
static inline bool apply_leaf(struct mmu *mmu, const struct paging_mode *mode,
                              struct shadow_page *page, unsigned int index, uint64_t entry,
                              uint64_t leaf, bool small)
{
	uint64_t spte = page->table[index];

	if (!((spte ^ leaf) & ~PTE_D))
		return false;                 /* D of a tracked frame is the processor's */
	note_change(mmu, page, index, false); /* A7 */
	if (is_outdated(mmu, mode, page, index, entry))
		return true;
	/* A larger page than before: the TLB must not hold two sizes for one address. */
	if (!small && is_npt01(page) && (spte & PTE_P))
		mmu->ops->flush_all(mmu->context);
	copy_entry(page, index, entry);
	if (__builtin_expect(!leaf, false))
		spte_clear(mmu, page, index);
	else if (small)
		set_leaf(mmu, page, index, 1, leaf);
	else
		spte_set(mmu, page, index, leaf);
	return true;
}

#endif
