/*
 * Synchronization: after a flush by L1, what its tables no longer say must go from their shadows.
 * Each present spte is derived again from its entry and compared. Relies on mmu/spte.c.
 */
#include "mmu/change.h"
#include "mmu/protect.h"
#include "mmu/spte.h"
#include "mmu/track.h"

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

/* What the spte is to be for this entry: a leaf, what it is, or 0: that comes with the next fault.
 */
static uint64_t wanted_spte(const struct mmu *mmu, const struct paging_mode *mode,
                            const struct shadow_page *page, unsigned int index, uint64_t entry)
{
	struct target target = spte_target(mmu, mode, page, index, entry, false);

	if (target.kind == TARGET_LEAF)
		return target.spte;
	return same_table(mmu, page, page->table[index], &target) ? page->table[index] : 0;
}

/*
 * Spte number index comes to say something new by this entry, which was read at this place (NULL:
 * all ones): does the entry still say so, behind the note?
 */
static inline bool noted(struct mmu *mmu, const struct shadow_page *page, unsigned int index,
                         const void *at, unsigned int size, uint64_t entry)
{
	note_change(mmu, page, index, false);    /* A5 */
	return entry_or_ones(at, size) == entry; /* A6 */
}

static bool is_small(const struct paging_mode *mode, const struct shadow_page *page)
{
	return page->role.level == 1 && (mode->flags & MODE_NESTED);
}

/* Brings a present spte in line with its entry, which was read at this place. */
static void sync_spte(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
                      unsigned int index, const void *at, uint64_t entry)
{
	bool small = is_small(mode, page);
	uint64_t wanted = 0;

	if (!small)
		wanted = wanted_spte(mmu, mode, page, index, entry);
	else if (is_used(mode, entry) && !entry_reserved(mode, 1, entry))
		wanted = small_leaf(mmu, mmu->self, mode, page, entry);
	if (wanted == page->table[index])
		return;
	mmu->counters->sptes_changed++;
	if (!wanted || !noted(mmu, page, index, at, mode->format->entry_size, entry))
		spte_clear(mmu, page, index);
	else if (small)
		set_leaf(mmu, page, index, 1, wanted);
	else
		spte_set(mmu, page, index, wanted);
}

/*
 * The same for a small leaf whose entry says what it said but for the page, if L0 has both in a
 * row: so then are the sptes. False: it takes more.
 */
static inline bool move_leaf(struct mmu *mmu, const struct paging_mode *mode,
                             struct shadow_page *page, unsigned int index, const uint64_t *at,
                             uint64_t was, uint64_t entry)
{
	uint64_t old = was & mode->address_mask, gpa = entry & mode->address_mask;

	if ((was ^ old) != (entry ^ gpa) || !is_mapped(mmu, mmu->self, old) ||
	    !is_mapped(mmu, mmu->self, gpa) || !noted(mmu, page, index, at, 8, entry))
		return false;
	mmu->counters->sptes_changed++;
	mmu->counters->leaves_moved++;
	set_leaf(mmu, page, index, 1, page->table[index] + (gpa - old));
	return true;
}

static inline bool same_four(const uint64_t *table, const uint64_t *copy)
{
	return entry_at(table, 8) == copy[0] && entry_at(table + 1, 8) == copy[1] &&
	       entry_at(table + 2, 8) == copy[2] && entry_at(table + 3, 8) == copy[3];
}

/* Entries of 8 bytes, and what was read last of them: all there is to do where nothing changed. */
static inline bool same_group(const uint64_t *table, const uint64_t *copy)
{
	_Static_assert(GROUP_ENTRIES == 16, "a group is four times four entries");

	return same_four(table, copy) && same_four(table + 4, copy + 4) &&
	       same_four(table + 8, copy + 8) && same_four(table + 12, copy + 12);
}

static bool may_have_copy(const struct paging_mode *mode, const struct shadow_page *page,
                          const void *table)
{
	return table && (mode->flags & MODE_NESTED) && !page->role.local &&
	       mode->format->entry_size == 8;
}

/* What differs from the copy is derived again. What is read is what becomes copy and spte. */
static void sync_copied(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
                        const uint64_t *table, uint64_t *copy)
{
	bool small = is_small(mode, page);

	mmu->counters->copies_used++;
	page_touch(mmu, page->copy);
	for (uint32_t groups = page->groups; groups; groups &= groups - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(groups) * GROUP_ENTRIES;
		unsigned int end = i + GROUP_ENTRIES;

		if (same_group(table + i, copy + i))
			continue;
		while (i < end && same_four(table + i, copy + i))
			i += 4;
		for (; i < end; i++) {
			uint64_t entry = entry_at(table + i, 8), was = copy[i];

			if (was == entry)
				continue;
			copy[i] = entry;
			if ((page->table[i] & PTE_P) &&
			    !(small && move_leaf(mmu, mode, page, i, table + i, was, entry)))
				sync_spte(mmu, mode, page, i, table + i, entry);
		}
	}
}

static void sync_page(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page)
{
	bool registers = in_registers(mode, page->role.level);
	const char *table =
		registers ? (const char *)mode->pdptes : guest_table(&mmu->memory, page->gpa);
	unsigned int size = mode->format->entry_size;
	bool plain_wb = mmu->identity && host_pat_index(page->role.pat & 7) == 0;
	int level = page->role.level;
	uint32_t left = page->present;

	mmu->counters->tables_read++;
	if (page->copy) {
		sync_copied(mmu, mode, page, (const uint64_t *)table, page->copy->table);
		return;
	}
	if (page->heat < mmu->hot)
		page->heat = (uint16_t)(page->heat + left);
	else if (may_have_copy(mode, page, table))
		give_copy(mmu, page);
	for (unsigned int i = 0; left; i++) {
		uint64_t spte = page->table[i], entry;
		const void *at = NULL;

		if (!(page->groups >> i / GROUP_ENTRIES & 1)) {
			i += GROUP_ENTRIES - 1;
			continue;
		}
		if (!(spte & PTE_P))
			continue;
		left--;
		if (table)
			at = table + (size_t)(size == 8 ? i : guest_index_of(mode, page, i)) * size;
		entry = entry_or_ones(at, size);
		copy_entry(page, i, entry);
		if (!unchanged(mmu, mode, plain_wb, level, spte, entry))
			sync_spte(mmu, mode, page, i, at, entry);
	}
}

void sync_leaf(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
               unsigned int index)
{
	const void *at = place_behind(mmu, mode, page, index);
	uint64_t entry = entry_or_ones(at, mode->format->entry_size);

	copy_entry(page, index, entry);
	sync_spte(mmu, mode, page, index, at, entry);
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
	unsigned int index = number % SHADOW_ENTRIES;

	/* The page may have ended, and may be another one by now. */
	if (!(page->table[index] & PTE_P) || page->role.local || page->role.direct ||
	    is_passthrough(page))
		return;
	sync_leaf(mmu, mode_of(mmu, page->role), page, index);
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
	if (mmu->shadows_l1_paging) {
		protect_collect(mmu, false);
	} else if (mmu->frame_count) {
		track_collect(mmu);
	} else {
		sync_all(mmu);
	}
	sync_local(mmu, mode, page);
}
