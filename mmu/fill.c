/*
 * The descent that fills what is missing. Relies on mmu/walk.h for what L1's tables say and on
 * mmu/spte.c for what an spte is to be.
 */
#include "mmu/change.h"
#include "mmu/fill.h"
#include "mmu/protect.h"
#include "mmu/region.h"
#include "mmu/spte.h"
#include "mmu/track.h"

#include <stddef.h>

#define ALL_PAGES (~0ull)

/*
 * Makes spte number index lead where it is to lead for this entry of the guest's. Returns the next
 * table, NULL at a leaf or where the entry has changed.
 */
static struct shadow_page *apply(struct mmu *mmu, const struct paging_mode *mode,
                                 struct shadow_page *page, unsigned int index, uint64_t entry,
                                 const struct target *target, bool *changed)
{
	uint64_t spte = page->table[index];
	struct shadow_page *child;
	bool found;

	if (target->kind == TARGET_LEAF) {
		*changed |= apply_leaf(mmu, mode, page, index, entry, target->spte, false);
		return NULL;
	}
	if ((spte & PTE_P) && same_table(mmu, page, spte, target))
		return page_of_spte(mmu, spte);
	/*
	 * What becomes reachable, or reachable with more rights, must say what L1's tables say now:
	 * the guest's processor cannot have cached anything older by this way, though another
	 * root's may.
	 */
	*changed = true;
	child = page_get(mmu, target->gpa, target->role, &found);
	note_change(mmu, page, index, found);
	if (found)
		freshen(mmu, mode, child);
	if (is_outdated(mmu, mode, page, index, entry))
		return NULL;
	copy_entry(page, index, entry);
	spte_link(mmu, page, index, child, target->rights);
	return child;
}

/* A supervisor's write, which CR0.WP=0 lets pass to what is read-only. */
static bool is_past_wp(const struct paging_mode *mode, uint32_t access)
{
	return mode && !(mode->flags & (MODE_WP | MODE_NESTED)) &&
	       (access & (ACCESS_WRITE | ACCESS_USER)) == ACCESS_WRITE;
}

struct shadow_page *descend(struct mmu *mmu, const struct paging_mode *mode,
                            struct shadow_page *page, uint64_t address, const struct walk *walk)
{
	while (!page->role.direct) {
		int level = page->role.level;
		uint64_t spte = page->table[shadow_index(level, address)];
		struct shadow_page *child;

		page_touch(mmu, page);
		if (!(spte & PTE_P) || spte_is_leaf(spte, level))
			break;
		child = page_of_spte(mmu, spte);
		if (!is_passthrough(page)) {
			uint64_t entry = walk->entry[level];

			if (level <= walk->level || child->role.direct ||
			    child->gpa != (entry & mode->address_mask) ||
			    (mode->format->level[level].rights && ((spte ^ entry) & SPTE_RIGHTS)))
				break;
		}
		page = child;
	}
	return page;
}

bool fill(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *root,
          uint64_t address, uint32_t access, const struct walk *walk)
{
	bool changed = false, past_wp = is_past_wp(mode, access);
	struct shadow_page *page = root;

	if (walk && !past_wp)
		page = descend(mmu, mode, root, address, walk);
	while (page) {
		unsigned int index = shadow_index(page->role.level, address);
		bool guest_level = !page->role.direct && !is_passthrough(page);
		uint64_t entry = walk && guest_level ? walk->entry[page->role.level] : 0;
		struct target target;

		page_touch(mmu, page);
		target = spte_target(mmu, mode, page, index, entry, past_wp);
		if (target.kind == TARGET_LEAF && mmu->shadows_l1_paging &&
		    (access & ACCESS_WRITE)) {
			protect_note_write(mmu, walk->gpa);
			target = spte_target(mmu, mode, page, index, entry, past_wp);
		}
		if (target.kind == TARGET_NONE)
			return changed; /* the page attribute of an entry that nothing may use */
		page = apply(mmu, mode, page, index, entry, &target, &changed);
	}
	if (changed)
		mmu->counters->fills++;
	else
		mmu->counters->spurious++;
	return changed;
}

uint64_t mmu_direct_root(struct mmu *mmu, struct mmu_cpu *cpu)
{
	union shadow_role role = {.level = mmu->host_levels & 7,
	                          .direct = 1,
	                          .local = 1,
	                          .npt01 = 1,
	                          .pdptes = mmu->host_levels == 3};
	bool found;

	pool_reserve(mmu, 1);
	cpu->direct = page_get(mmu, 0, role, &found);
	cpu->direct->pins++;
	cpu->next = mmu->cpus;
	mmu->cpus = cpu;
	if (!mmu->home)
		mmu->home = cpu;
	return page_hpa(mmu, cpu->direct);
}

bool mmu_direct_fault(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	mmu_serve(mmu, cpu);
	pool_reserve(mmu, PT_MAX_LEVEL);
	if (!fill(mmu, NULL, cpu->direct, gpa, 0, NULL))
		return false;
	region_filled(mmu, cpu, gpa);
	return true;
}

/*
 * A table that takes the place of a larger leaf maps all that the leaf mapped. To be called where
 * ops->map() says that it is one page: so the leaves of 4 KiB are alike.
 */
static void populate(struct mmu *mmu, struct shadow_page *page)
{
	struct target target = {.kind = TARGET_NONE};

	for (uint64_t i = 0; i < SHADOW_ENTRIES; i++) {
		uint64_t gpa = page->gpa + (i << PT_PAGE_SHIFT);

		if (page->role.level > 1 || !i)
			target = spte_target(mmu, NULL, page, (unsigned int)i, 0, false);
		else
			target.spte = ((target.spte + (1ull << PT_PAGE_SHIFT)) & ~PTE_D) |
			              (is_tracked(mmu, gpa) ? 0 : PTE_D);
		if (target.kind == TARGET_LEAF && !(page->table[i] & PTE_P)) {
			write_spte(&page->table[i], target.spte);
			count_spte(page, (unsigned int)i);
		}
	}
}

void direct_populate(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	int level = mmu->ops->map(mmu->context, gpa).level;
	struct shadow_page *page = cpu->direct;

	while (page->role.level > 1) {
		uint64_t spte = page->table[shadow_index(page->role.level, gpa)];

		if (spte_is_leaf(spte, page->role.level))
			return;
		page = page_of_spte(mmu, spte);
		/* A 1 GiB leaf becomes tables of two levels, both of them full. */
		if (page->present <= 1 && page->role.level < level)
			populate(mmu, page);
	}
}

struct shadow_page *direct_region(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa, bool full)
{
	struct shadow_page *page = cpu->direct;
	bool changed = false;

	while (page->role.level > 1) {
		unsigned int index = shadow_index(page->role.level, gpa);
		struct target target = spte_target(mmu, NULL, page, index, 0, false);

		page = apply(mmu, NULL, page, index, 0, &target, &changed);
	}
	if (full)
		direct_populate(mmu, cpu, gpa);
	return page;
}

/* A tracked frame's leaf goes, and what its D bit may have told with it. */
static void note_frame(struct mmu *mmu, const struct shadow_page *page, unsigned int at)
{
	if (is_npt01(page) && (page->tracked[at / 64] >> at % 64 & 1))
		mmu_note_write(mmu, page->gpa + ((uint64_t)at << PT_PAGE_SHIFT));
}

/* Clears the leaves above 4 KiB and, of those of 4 KiB, all or the ones that lead to this page. */
static void drop_leaves(struct mmu *mmu, uint64_t hpa)
{
	mmu->maps++;
	for (uint32_t i = 0; i < mmu->page_count; i++) {
		struct shadow_page *page = &mmu->pages[i];
		uint32_t left = page->live ? page->present : 0;

		for (unsigned int at = 0; left; at++) {
			uint64_t spte = page->table[at];

			if (!(spte & PTE_P))
				continue;
			left--;
			if (!spte_is_leaf(spte, page->role.level))
				continue;
			if (page->role.level == 1) {
				if (hpa != ALL_PAGES && (spte & SPTE_ADDRESS) != hpa)
					continue;
				note_frame(mmu, page, at);
			}
			spte_clear(mmu, page, at);
		}
	}
	mmu->ops->flush_all(mmu->context);
}

void mmu_drop_leaves(struct mmu *mmu)
{
	drop_leaves(mmu, ALL_PAGES);
}

void mmu_drop_page(struct mmu *mmu, uint64_t gpa)
{
	drop_leaves(mmu, mmu->ops->map(mmu->context, gpa & ~((1ull << PT_PAGE_SHIFT) - 1)).hpa);
}
