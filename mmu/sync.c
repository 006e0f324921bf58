/*
 * Synchronization: after a flush by L1, what its tables no longer say must go from their shadows.
 * Each present spte is derived again from its entry and compared. Relies on mmu/spte.c.
 */
#include "mmu/change.h"
#include "mmu/protect.h"
#include "mmu/spte.h"
#include "mmu/track.h"

#include <stddef.h>

static bool same_table(const struct mmu *mmu, const struct shadow_page *page, uint64_t spte,
                       const struct target *target)
{
	const struct shadow_page *child;

	if (target->kind != TARGET_TABLE || spte_is_leaf(spte, page->role.level))
		return false;
	child = page_of_spte(mmu, spte);
	return child->gpa == target->gpa && child->role.word == target->role.word &&
	       (spte & SPTE_RIGHTS) == target->rights;
}

/*
 * Most entries of a table that was written are as they were; told from the two words alone, as the
 * loop goes over whole tables. False when it takes more than that.
 */
static bool unchanged(const struct mmu *mmu, const struct paging_mode *mode, bool plain_wb,
                      int level, uint64_t spte, uint64_t entry)
{
	const struct shadow_page *child;
	uint64_t type = PTE_PWT | PTE_PCD | (level == 1 ? PTE_PAT : PTE_PAT_LARGE);

	if (!is_used(mode, entry) || entry_reserved(mode, level, entry))
		return false;
	if (entry_is_leaf(mode, level, entry))
		return plain_wb && spte_is_leaf(spte, level) && mode->id != PT_2LEVEL &&
		       !((spte ^ entry) & (mode->address_mask | PTE_NX | PTE_U)) &&
		       !((spte | entry) & type) &&
		       !(spte & PTE_W) == ((entry & (PTE_W | PTE_D)) != (PTE_W | PTE_D));
	if (spte_is_leaf(spte, level))
		return false;
	child = page_of_spte(mmu, spte);
	return !child->role.direct && child->gpa == (entry & mode->address_mask) &&
	       !((spte ^ entry) & SPTE_RIGHTS);
}

static void sync_spte(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
                      unsigned int index, uint64_t entry)
{
	uint64_t spte = page->table[index];
	struct target target = spte_target(mmu, mode, page, index, entry, false);

	if (same_table(mmu, page, spte, &target) ||
	    (target.kind == TARGET_LEAF && spte == target.spte))
		return;
	mmu->counters->sptes_changed++;
	if (target.kind == TARGET_LEAF) {
		note_change(mmu, page, index, false);                /* A5 */
		if (entry_behind(mmu, mode, page, index) == entry) { /* A6 */
			spte_set(mmu, page, index, target.spte);
			return;
		}
	}
	spte_clear(mmu, page, index); /* what is there now comes with the next fault */
}

/*
 * Bits in which a last-level entry and its spte may differ though nothing changed, where L0 maps
 * gpas to themselves and the memory type is write-back in both: those that no one reads. 0: the
 * page is not like that.
 */
static uint64_t same_bits(const struct mmu *mmu, const struct paging_mode *mode,
                          const struct shadow_page *page)
{
	uint64_t ignored = PTE_G | ENTRY_AVAILABLE;

	if (!mmu->identity || page->role.level != 1 || mode->id == PT_2LEVEL ||
	    host_pat_index(page->role.pat & 7))
		return 0;
	if (mode->id >= PT_4LEVEL)
		ignored |= ENTRY_AVAILABLE_HIGH;
	return ~ignored;
}

/* Where the guest's entry lacks D its spte lacks W, and has D all the same. */
static uint64_t without_d(uint64_t entry)
{
	return entry & PTE_D ? entry : (entry & ~PTE_W) | PTE_D;
}

static void sync_page(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page)
{
	bool registers = in_registers(mode, page->role.level);
	const void *table = registers ? mode->pdptes : guest_table(&mmu->memory, page->gpa);
	unsigned int size = mode->format->entry_size;
	bool plain_wb = mmu->identity && host_pat_index(page->role.pat & 7) == 0;
	uint64_t same = table ? same_bits(mmu, mode, page) : 0;
	int level = page->role.level;
	uint32_t left = page->present;

	mmu->counters->tables_read++;
	for (unsigned int i = 0; left; i++) {
		uint64_t spte = page->table[i], entry;

		if (!(spte & PTE_P))
			continue;
		left--;
		entry = table_entry(table, size == 8 ? i : guest_index_of(mode, page, i), size);
		/* The same index into two PATs is the same type for write-back only. */
		if (same && !(((spte ^ without_d(entry)) | (spte & TYPE_BITS)) & same))
			continue;
		if (!unchanged(mmu, mode, plain_wb, level, spte, entry))
			sync_spte(mmu, mode, page, i, entry);
	}
}

void sync_leaf(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
               unsigned int index)
{
	sync_spte(mmu, mode, page, index, entry_behind(mmu, mode, page, index));
}

static const struct paging_mode *mode_of(struct mmu *mmu, union shadow_role role)
{
	uint64_t key = (uint64_t)role.format << MODE_BITS | role.mode | 1ull << 63;

	if (mmu->last_mode_key != key) {
		mmu->last_mode_key = key;
		paging_mode_init(&mmu->last_mode, (enum pt_format_id)role.format,
		                 (uint32_t)role.mode, mmu->phys_bits);
	}
	return &mmu->last_mode;
}

void sync_frame(struct mmu *mmu, uint64_t gpa)
{
	struct shadow_page *page = page_shadows(mmu, gpa);

	for (; page; page = page_next_shadow(page)) {
		if (!is_passthrough(page))
			sync_page(mmu, mode_of(mmu, page->role), page);
	}
}

void sync_number(struct mmu *mmu, uint32_t number)
{
	struct shadow_page *page = &mmu->pages[number / SHADOW_ENTRIES];
	const struct paging_mode *mode;
	unsigned int index = number % SHADOW_ENTRIES;

	/* The page may have ended, and may be another one by now. */
	if (!(page->table[index] & PTE_P) || page->role.local || page->role.direct ||
	    is_passthrough(page))
		return;
	mode = mode_of(mmu, page->role);
	sync_spte(mmu, mode, page, index, entry_behind(mmu, mode, page, index));
}

/* Local pages are few, and PDPTEs are no whole frame: they are compared, tracked or not. */
void sync_local(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page)
{
	while (page->role.local && is_passthrough(page) && (page->table[0] & PTE_P))
		page = page_of_spte(mmu, page->table[0]);
	if (page->role.local && !is_passthrough(page) && !page->role.direct)
		sync_page(mmu, mode, page);
}

/* Nothing tells which tables were written. */
static void sync_all(struct mmu *mmu)
{
	for (uint32_t i = 0; i < mmu->page_count; i++) {
		struct shadow_page *page = &mmu->pages[i];

		if (page->live && !page->role.direct && !page->role.local && !is_passthrough(page))
			sync_page(mmu, mode_of(mmu, page->role), page);
	}
}

void freshen(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page)
{
	mmu->counters->syncs++;
	if (mmu->own_paging) {
		protect_collect(mmu, false);
	} else if (mmu->frame_count) {
		track_collect(mmu);
	} else {
		sync_all(mmu);
	}
	sync_local(mmu, mode, page);
}
