/*
 * Tracked frames. Relies on mmu/spte.h for the shadows of a table, on mmu/link.c for NPT01.
 */
#include "mmu/track.h"
#include "mmu/protect.h"
#include "mmu/region.h"
#include "mmu/spte.h"

#include <stddef.h>

static uint64_t align8(uint64_t bytes)
{
	return (bytes + 7) & ~7ull;
}

static uint64_t count_of(uint64_t frames, unsigned int shift)
{
	return (frames >> shift) + 1;
}

uint64_t track_metadata_size(uint64_t memory_end)
{
	uint64_t frames = memory_end >> PT_PAGE_SHIFT;

	return align8(frames) + align8(3 * count_of(frames, BLOCK_SHIFT) * sizeof(uint16_t)) +
	       align8(count_of(frames, GIANT_SHIFT) * (sizeof(uint32_t) + sizeof(uint16_t)));
}

void track_init(struct mmu *mmu, uint64_t memory_end, void *metadata)
{
	uint64_t frames = memory_end >> PT_PAGE_SHIFT;
	char *at = metadata;

	mmu->frames = metadata;
	at += align8(frames);
	mmu->block_tracked = (uint16_t *)at;
	mmu->block_writers = mmu->block_tracked + count_of(frames, BLOCK_SHIFT);
	mmu->block_noted = mmu->block_writers + count_of(frames, BLOCK_SHIFT);
	at += align8(3 * count_of(frames, BLOCK_SHIFT) * sizeof(uint16_t));
	mmu->giant_tracked = (uint32_t *)at;
	mmu->giant_writers = (uint16_t *)(mmu->giant_tracked + count_of(frames, GIANT_SHIFT));
	mmu->frame_count = frames;
}

static bool is_noted(unsigned int frame)
{
	return (frame & FRAME_TRACKED) && (frame & (FRAME_DIRTY | FRAME_WRITERS));
}

/* Every change of a byte in frames[], so that block_noted can be trusted. */
static inline void set_frame(struct mmu *mmu, uint64_t frame, unsigned int value)
{
	unsigned int was = mmu->frames[frame];

	mmu->frames[frame] = (uint8_t)value;
	if (__builtin_expect(!((was | value) & FRAME_TRACKED), 1))
		return;
	mmu->block_noted[frame >> BLOCK_SHIFT] += is_noted(value) - is_noted(was);
	if (is_noted(value) && !is_noted(was))
		regions_wake(mmu, frame << PT_PAGE_SHIFT, 1);
}

void frame_set(struct mmu *mmu, uint64_t frame, unsigned int flags)
{
	set_frame(mmu, frame, mmu->frames[frame] | flags);
}

void frame_clear(struct mmu *mmu, uint64_t frame, unsigned int flags)
{
	set_frame(mmu, frame, mmu->frames[frame] & ~flags);
}

int track_level(const struct mmu *mmu, uint64_t gpa, int level)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame >= mmu->frame_count)
		return level;
	if (mmu->block_tracked[frame >> BLOCK_SHIFT])
		return 1;
	if (mmu->giant_tracked[frame >> GIANT_SHIFT] && level > 2)
		return 2;
	return level;
}

void flush_writers(struct mmu *mmu)
{
	if (mmu->stale_writers)
		mmu->ops->flush_all(mmu->context);
	mmu->stale_writers = false;
}

static void track(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame >= mmu->frame_count || (mmu->frames[frame] & FRAME_TRACKED) ||
	    !mmu->memory.page(mmu->memory.context, frame << PT_PAGE_SHIFT))
		return;
	frame_clear(mmu, frame, FRAME_DIRTY);
	frame_set(mmu, frame, FRAME_TRACKED);    /* T14 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* see mmu_wants_note() */
	mmu->block_tracked[frame >> BLOCK_SHIFT]++;
	mmu->giant_tracked[frame >> GIANT_SHIFT]++;
	mmu->frames_tracked++;
	if (mmu->shadows_l1_paging)
		protect_frame(mmu, frame);
	flush_writers(mmu);
	if (!mmu->shadows_l1_paging)
		regions_add(mmu, frame << PT_PAGE_SHIFT);
}

static void untrack(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (!mmu->shadows_l1_paging)
		regions_remove(mmu, gpa);
	frame_clear(mmu, frame, FRAME_TRACKED | FRAME_DIRTY);
	mmu->block_tracked[frame >> BLOCK_SHIFT]--;
	mmu->giant_tracked[frame >> GIANT_SHIFT]--;
	mmu->frames_tracked--;
}

void frames_open(struct mmu *mmu, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; mmu->frames_watched && i < first + count; i++) {
		if (i < mmu->frame_count && is_watched(mmu, i))
			mmu->ops->frame_opens(mmu->context, i << PT_PAGE_SHIFT);
	}
}

bool mmu_watch_is_open(const struct mmu *mmu, uint64_t gpa)
{
	return is_tracked(mmu, gpa) && !mmu->shadows_l1_paging &&
	       ((mmu->frames[gpa >> PT_PAGE_SHIFT] & FRAME_WRITERS) || has_large_writers(mmu, gpa));
}

void track_table(struct mmu *mmu, uint64_t gpa)
{
	track(mmu, gpa);
	/* A frame that is dirty is not noted again: it may be of an upper level from now on. */
	if (mmu->shadows_l1_paging)
		mmu->dirty_upper |= is_tracked(mmu, gpa) && !is_protected(mmu, gpa);
}

void untrack_table(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (is_tracked(mmu, gpa) && !(mmu->frames[frame] & FRAME_WATCHED) &&
	    !page_shadows(mmu, gpa))
		untrack(mmu, gpa);
}

void mmu_watch(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	mmu_serve(mmu, cpu);
	if (!mmu->shadows_l1_paging) /* protecting takes no pages */
		pool_reserve(mmu, pages_for(mmu, 1));
	track(mmu, gpa);
	if (!is_tracked(mmu, gpa) || is_watched(mmu, gpa >> PT_PAGE_SHIFT))
		return;
	frame_set(mmu, gpa >> PT_PAGE_SHIFT, FRAME_WATCHED);
	mmu->frames_watched++;
}

void mmu_unwatch(struct mmu *mmu, uint64_t gpa)
{
	if (!is_tracked(mmu, gpa) || !is_watched(mmu, gpa >> PT_PAGE_SHIFT))
		return;
	frame_clear(mmu, gpa >> PT_PAGE_SHIFT, FRAME_WATCHED);
	mmu->frames_watched--;
	untrack_table(mmu, gpa);
}

void mmu_note_write(struct mmu *mmu, uint64_t gpa)
{
	if (mmu->shadows_l1_paging)
		protect_note_write(mmu, gpa);
	else if (is_tracked(mmu, gpa)) {
		frame_set(mmu, gpa >> PT_PAGE_SHIFT, FRAME_DIRTY); /* T22 */
		frames_open(mmu, gpa >> PT_PAGE_SHIFT, 1);
	}
}

bool mmu_wants_note(const struct mmu *mmu, uint64_t gpa)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* T21 */
	return mmu->shadows_l1_paging || is_tracked(mmu, gpa);
}

/* A and D of an odd entry of 4 bytes are address bits of one of 8 bytes. */
static bool changes_larger_entry(const struct mmu *mmu, uint64_t gpa)
{
	struct shadow_page *page = gpa & 4 ? page_shadows(mmu, gpa & ~0xfffull) : NULL;

	while (page && page->role.format == PT_2LEVEL)
		page = page_next_shadow(page);
	return page;
}

/* Apart, so that nearly all walks pay for no more than the question. */
static __attribute__((noinline)) void note_walk(struct mmu *mmu, uint64_t gpa)
{
	if (is_watched(mmu, gpa >> PT_PAGE_SHIFT) || changes_larger_entry(mmu, gpa))
		mmu_note_write(mmu, gpa);
}

void mmu_note_walk(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame < mmu->frame_count && ((gpa & 4) || is_watched(mmu, frame)))
		note_walk(mmu, gpa);
}

void track_leaf(struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = spte_frame(spte);

	if (!spte_is_writable(spte) || frame >= mmu->frame_count)
		return;
	if (level == 1) {
		if ((mmu->frames[frame] & FRAME_WRITERS) < FRAME_WRITERS)
			set_frame(mmu, frame, mmu->frames[frame] + 1u);
		frames_open(mmu, frame, 1);
	} else if (level == 2) {
		if (mmu->block_writers[frame >> BLOCK_SHIFT] < UINT16_MAX)
			mmu->block_writers[frame >> BLOCK_SHIFT]++;
		if (mmu->block_tracked[frame >> BLOCK_SHIFT]) {
			regions_wake(mmu, frame << PT_PAGE_SHIFT, level);
			frames_open(mmu, frame, 1ull << BLOCK_SHIFT);
		}
	} else {
		if (mmu->giant_writers[frame >> GIANT_SHIFT] < UINT16_MAX)
			mmu->giant_writers[frame >> GIANT_SHIFT]++;
		if (mmu->giant_tracked[frame >> GIANT_SHIFT]) {
			regions_wake(mmu, frame << PT_PAGE_SHIFT, level);
			frames_open(mmu, frame, 1ull << GIANT_SHIFT);
		}
	}
}

/*
 * L2 may have written the tracked frames of a leaf that goes, and may until it is flushed. A large
 * leaf has many 2 MiB without any.
 */
static void note_frames(struct mmu *mmu, uint64_t first, uint64_t count, uint64_t tracked)
{
	uint64_t end = first + count < mmu->frame_count ? first + count : mmu->frame_count;

	if (!tracked)
		return;
	for (uint64_t i = first; i < end; i++) {
		if (!mmu->block_tracked[i >> BLOCK_SHIFT])
			i |= (1ull << BLOCK_SHIFT) - 1;
		else if (mmu->frames[i] & FRAME_TRACKED)
			frame_set(mmu, i, FRAME_DIRTY);
	}
	mmu->ops->flush_all(mmu->context);
}

void untrack_leaf(struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = spte_frame(spte), block = frame >> BLOCK_SHIFT,
		 giant = frame >> GIANT_SHIFT;

	if (!spte_is_writable(spte) || frame >= mmu->frame_count)
		return;
	mmu->stale_writers = true;
	if (level == 1) {
		if ((mmu->frames[frame] & FRAME_WRITERS) < FRAME_WRITERS)
			set_frame(mmu, frame, mmu->frames[frame] - 1u);
		note_frames(mmu, frame, 1, mmu->frames[frame] & FRAME_TRACKED);
	} else if (level == 2) {
		if (mmu->block_writers[block] < UINT16_MAX)
			mmu->block_writers[block]--;
		note_frames(mmu, frame, 1ull << BLOCK_SHIFT, mmu->block_tracked[block]);
	} else {
		if (mmu->giant_writers[giant] < UINT16_MAX)
			mmu->giant_writers[giant]--;
		note_frames(mmu, frame, 1ull << GIANT_SHIFT, mmu->giant_tracked[giant]);
	}
}

void frame_tell(struct mmu *mmu, uint64_t frame)
{
	if (is_watched(mmu, frame))
		mmu->ops->frame_changed(mmu->context, frame << PT_PAGE_SHIFT);
}

void frame_written(struct mmu *mmu, uint64_t frame)
{
	if (mmu->frames[frame] & FRAME_DIRTY)
		frame_clear(mmu, frame, FRAME_DIRTY);
	mmu->counters->frames_dirty++;
	sync_frame(mmu, frame << PT_PAGE_SHIFT); /* T9 */
	frame_tell(mmu, frame);
}

void track_collect(struct mmu *mmu)
{
	mmu->counters->collects++;
	regions_collect(mmu);
}

bool mmu_watch_written(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (mmu->shadows_l1_paging)
		return protect_take_written(mmu, gpa);
	if (!is_tracked(mmu, gpa))
		return false;
	mmu_serve(mmu, cpu);
	if (!regions_written(mmu, gpa) && !has_other_writers(mmu, frame) &&
	    !has_large_writers(mmu, gpa))
		return false;
	frame_written(mmu, frame);
	return true;
}
