/*
 * Write protection of the guest's tables, and the reverse map of leaves that it takes. Relies on
 * mmu/spte.h for the shadows of a table, on mmu/link.c for sptes.
 */
#include "mmu/protect.h"
#include "mmu/spte.h"

#include <stddef.h>

enum { LEAF_LEVELS = 3 };

static uint64_t align8(uint64_t bytes)
{
	return (bytes + 7) & ~7ull;
}

/* How many pages of a level, 4 KiB to 1 GiB, begin in this many frames. */
static uint64_t count_of(uint64_t frames, int level)
{
	return (frames >> (SHADOW_INDEX_BITS * (level - 1))) + 1;
}

uint64_t protect_metadata_size(uint64_t memory_end, uint32_t page_count)
{
	uint64_t frames = memory_end >> PT_PAGE_SHIFT;
	uint64_t size = align8(frames) + align8(count_of(frames, 2) * sizeof(uint16_t)) +
	                align8(count_of(frames, 3) * sizeof(uint32_t));

	for (int level = 1; level <= LEAF_LEVELS; level++)
		size += align8(count_of(frames, level) * sizeof(uint32_t));
	size += 2ull * page_count * SHADOW_ENTRIES * sizeof(uint32_t);
	return size + page_count * sizeof(uint64_t);
}

static void *carve(char **at, uint64_t size)
{
	void *part = *at;

	*at += align8(size);
	return part;
}

void protect_init(struct mmu *mmu, uint64_t memory_end, void *metadata)
{
	uint64_t frames = memory_end >> PT_PAGE_SHIFT;
	uint64_t sptes = (uint64_t)mmu->page_count * SHADOW_ENTRIES;
	char *at = metadata;

	mmu->frames = carve(&at, frames);
	mmu->block_tracked = carve(&at, count_of(frames, 2) * sizeof(uint16_t));
	mmu->giant_tracked = carve(&at, count_of(frames, 3) * sizeof(uint32_t));
	for (int level = 1; level <= LEAF_LEVELS; level++)
		mmu->leaf_heads[level] = carve(&at, count_of(frames, level) * sizeof(uint32_t));
	mmu->leaf_next = carve(&at, sptes * sizeof(uint32_t));
	mmu->leaf_prev = carve(&at, sptes * sizeof(uint32_t));
	mmu->dirty = carve(&at, mmu->page_count * sizeof(uint64_t));
	mmu->dirty_count = 0;
	mmu->frame_count = frames;
}

/* The list that a leaf belongs to; NULL: to none, as it lets nothing be written that counts. */
static uint32_t *list_of(const struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = (spte & 0x000ffffffffff000ull) >> PT_PAGE_SHIFT;

	if ((spte & (PTE_P | PTE_W)) != (PTE_P | PTE_W) || frame >= mmu->frame_count)
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

/* Takes the right to write from all leaves of a frame; larger ones go, smaller ones come by use. */
static void protect(struct mmu *mmu, uint64_t frame)
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
			spte_clear(mmu, &mmu->pages[(*head - 1) / SHADOW_ENTRIES],
			           (*head - 1) % SHADOW_ENTRIES);
	}
}

/* Nobody can write any more what protect() protected. */
static void flush_writers(struct mmu *mmu)
{
	if (mmu->stale_writers)
		mmu->ops->flush_all(mmu->context);
	mmu->stale_writers = false;
}

static void begin(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame >= mmu->frame_count || (mmu->frames[frame] & FRAME_TRACKED) ||
	    !mmu->memory.page(mmu->memory.context, frame << PT_PAGE_SHIFT))
		return;
	mmu->frames[frame] |= FRAME_TRACKED;
	mmu->block_tracked[frame >> SHADOW_INDEX_BITS]++;
	mmu->giant_tracked[frame >> (2 * SHADOW_INDEX_BITS)]++;
	mmu->counters.frames_tracked++;
	protect(mmu, frame);
	flush_writers(mmu);
}

static void end(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	mmu->frames[frame] &= ~(FRAME_TRACKED | FRAME_DIRTY) & 0xff;
	mmu->block_tracked[frame >> SHADOW_INDEX_BITS]--;
	mmu->giant_tracked[frame >> (2 * SHADOW_INDEX_BITS)]--;
	mmu->counters.frames_tracked--;
}

void protect_table(struct mmu *mmu, uint64_t gpa)
{
	begin(mmu, gpa);
	/* A frame that is dirty is not noted again: it may be of an upper level from now on. */
	mmu->dirty_upper |= is_tracked(mmu, gpa) && !is_protected(mmu, gpa);
}

void unprotect_table(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (is_tracked(mmu, gpa) && !(mmu->frames[frame] & FRAME_WATCHED) &&
	    !page_shadows(mmu, gpa))
		end(mmu, gpa);
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
	mmu->frames[frame] |= FRAME_DIRTY;
	mmu->dirty[mmu->dirty_count++] = frame;
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

static void written(struct mmu *mmu, uint64_t frame, bool end_orphans)
{
	uint64_t gpa = frame << PT_PAGE_SHIFT;

	mmu->counters.frames_dirty++;
	if (end_orphans)
		end_shadows_nobody_uses(mmu, gpa);
	sync_frame(mmu, gpa);
	if (mmu->frames[frame] & FRAME_WATCHED)
		mmu->ops->frame_changed(mmu->context, gpa);
}

/* All are protected before any is read: what is written later faults, and is dirty again. */
void protect_collect(struct mmu *mmu, bool end_orphans)
{
	uint32_t count = 0;

	if (!mmu->dirty_count)
		return;
	mmu->counters.collects++;
	for (uint32_t i = 0; i < mmu->dirty_count; i++) {
		uint64_t frame = mmu->dirty[i];

		if (!(mmu->frames[frame] & FRAME_DIRTY))
			continue;
		mmu->frames[frame] &= ~FRAME_DIRTY & 0xff;
		protect(mmu, frame);
		mmu->dirty[count++] = frame;
	}
	mmu->dirty_count = 0;
	mmu->dirty_upper = false;
	flush_writers(mmu);
	for (uint32_t i = 0; i < count; i++)
		written(mmu, mmu->dirty[i], end_orphans);
}

bool protect_take_written(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (!is_tracked(mmu, gpa) || !(mmu->frames[frame] & FRAME_DIRTY))
		return false;
	mmu->frames[frame] &= ~FRAME_DIRTY & 0xff;
	protect(mmu, frame);
	flush_writers(mmu);
	written(mmu, frame, false);
	return true;
}

void protect_watch(struct mmu *mmu, uint64_t gpa)
{
	begin(mmu, gpa);
	if (is_tracked(mmu, gpa))
		mmu->frames[gpa >> PT_PAGE_SHIFT] |= FRAME_WATCHED;
}
