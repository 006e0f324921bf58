/*
 * Write protection of the guest's tables, and the reverse map of leaves that it takes. Relies on
 * mmu/spte.h for the shadows of a table, on mmu/link.c for sptes.
 */
#include "mmu/protect.h"
#include "mmu/spte.h"

#include <stddef.h>

enum { LEAF_LEVELS = 3 };

/* How many pages of a level, 4 KiB to 1 GiB, begin in this many frames. */
static uint64_t count_of(uint64_t frames, int level)
{
	return (frames >> (SHADOW_INDEX_BITS * (level - 1))) + 1;
}

uint64_t protect_metadata_size(uint64_t memory_end, uint32_t page_count)
{
	uint64_t lists = 2ull * page_count * SHADOW_ENTRIES;

	for (int level = 1; level <= LEAF_LEVELS; level++)
		lists += count_of(memory_end >> PT_PAGE_SHIFT, level);
	return track_metadata_size(memory_end) + page_count * sizeof(uint64_t) +
	       lists * sizeof(uint32_t);
}

void protect_init(struct mmu *mmu, uint64_t memory_end, void *metadata)
{
	uint64_t sptes = (uint64_t)mmu->page_count * SHADOW_ENTRIES;
	uint32_t *lists;

	track_init(mmu, memory_end, metadata);
	mmu->dirty = (uint64_t *)((char *)metadata + track_metadata_size(memory_end));
	mmu->dirty_count = 0;
	lists = (uint32_t *)(mmu->dirty + mmu->page_count);
	for (int level = 1; level <= LEAF_LEVELS; level++) {
		mmu->leaf_heads[level] = lists;
		lists += count_of(mmu->frame_count, level);
	}
	mmu->leaf_next = lists;
	mmu->leaf_prev = lists + sptes;
}

/* The list that a leaf belongs to; NULL: to none, as it lets nothing be written that counts. */
static uint32_t *list_of(const struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = spte_frame(spte);

	if (!spte_is_writable(spte) || frame >= mmu->frame_count)
		return NULL;
	return &mmu->leaf_heads[level][frame >> (SHADOW_INDEX_BITS * (level - 1))];
}

void list_leaf(struct mmu *mmu, const uint64_t *at, uint64_t spte, int level)
{
	uint32_t *head = list_of(mmu, spte, level);
	uint32_t number = (uint32_t)(at - mmu->tables) + 1;

	if (!head)
		return;
	mmu->leaf_next[number - 1] = *head;
	mmu->leaf_prev[number - 1] = 0;
	if (*head)
		mmu->leaf_prev[*head - 1] = number;
	*head = number;
}

void unlist_leaf(struct mmu *mmu, const uint64_t *at, uint64_t spte, int level)
{
	uint32_t *head = list_of(mmu, spte, level);
	uint32_t number = (uint32_t)(at - mmu->tables) + 1, next, prev;

	if (!head)
		return;
	next = mmu->leaf_next[number - 1];
	prev = mmu->leaf_prev[number - 1];
	*(prev ? &mmu->leaf_next[prev - 1] : head) = next;
	if (next)
		mmu->leaf_prev[next - 1] = prev;
	mmu->stale_writers = true; /* the processor may still have it */
}

/* Larger leaves go; smaller ones come by use. */
void protect_frame(struct mmu *mmu, uint64_t frame)
{
	uint32_t *head = &mmu->leaf_heads[1][frame];

	for (uint32_t number = *head; number; number = mmu->leaf_next[number - 1]) {
		__atomic_and_fetch(&mmu->tables[number - 1], ~PTE_W, __ATOMIC_RELAXED);
		mmu->stale_writers = true;
	}
	*head = 0;
	for (int level = 2; level <= LEAF_LEVELS; level++) {
		head = &mmu->leaf_heads[level][frame >> (SHADOW_INDEX_BITS * (level - 1))];
		while (*head)
			spte_clear(mmu, page_of_table(mmu, &mmu->tables[*head - 1]),
			           (*head - 1) % SHADOW_ENTRIES);
	}
}

/* Frames that are dirty no more make room; if there is none all become clean. */
static void make_room(struct mmu *mmu)
{
	uint32_t kept = 0;

	if (mmu->dirty_count < mmu->page_count)
		return;
	for (uint32_t i = 0; i < mmu->dirty_count; i++) {
		if (mmu->frames[mmu->dirty[i]] & FRAME_DIRTY)
			mmu->dirty[kept++] = mmu->dirty[i];
	}
	mmu->dirty_count = kept;
	if (kept == mmu->page_count)
		protect_collect(mmu, false);
}

void protect_note_write(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT, table = frame << PT_PAGE_SHIFT;

	if (!is_protected(mmu, gpa))
		return;
	make_room(mmu);
	frame_set(mmu, frame, FRAME_DIRTY);
	mmu->dirty[mmu->dirty_count++] = frame;
	frames_open(mmu, frame, 1);
	for (struct shadow_page *page = page_shadows(mmu, table); page;
	     page = page_next_shadow(page))
		mmu->dirty_upper |= page->role.level > 1;
}

static bool is_orphan(const struct shadow_page *page)
{
	return !page->pins && !page->parent && !page->more_parents;
}

static void end_shadows_nobody_uses(struct mmu *mmu, uint64_t gpa)
{
	struct shadow_page *page = page_shadows(mmu, gpa);

	while (page) {
		struct shadow_page *next = page_next_shadow(page);

		if (is_orphan(page))
			page_zap(mmu, page);
		page = next;
	}
}

/* All are protected before any is read: what is written later faults, and is dirty again. */
void protect_collect(struct mmu *mmu, bool end_orphans)
{
	uint32_t count = 0;

	if (!mmu->dirty_count)
		return;
	mmu->counters->collects++;
	for (uint32_t i = 0; i < mmu->dirty_count; i++) {
		uint64_t frame = mmu->dirty[i];

		if (!(mmu->frames[frame] & FRAME_DIRTY))
			continue;
		frame_clear(mmu, frame, FRAME_DIRTY);
		protect_frame(mmu, frame);
		mmu->dirty[count++] = frame;
	}
	mmu->dirty_count = 0;
	mmu->dirty_upper = false;
	flush_writers(mmu);
	for (uint32_t i = 0; i < count; i++) {
		if (end_orphans)
			end_shadows_nobody_uses(mmu, mmu->dirty[i] << PT_PAGE_SHIFT);
		frame_written(mmu, mmu->dirty[i]);
	}
}

bool protect_take_written(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (!is_tracked(mmu, gpa) || !(mmu->frames[frame] & FRAME_DIRTY))
		return false;
	frame_clear(mmu, frame, FRAME_DIRTY);
	protect_frame(mmu, frame);
	flush_writers(mmu);
	frame_written(mmu, frame);
	return true;
}
