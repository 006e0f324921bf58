/*
 * Tracked frames: how L0 knows, without an exit, which frames of L1's memory have been written.
 * Relies on mmu/mmu.h; docs/shadow-paging.md tells why it is right.
 *
 * A tracked frame (a guest's table that has a shadow, or a page of a permission map) is mapped by
 * 4 KiB leaves in each processor's NPT01 (mmu/region.h). L0 clears D there; the processor sets it
 * at the next write, as the flush that goes with clearing leaves it nothing cached. Other ways to
 * write are noted in frames[].
 *
 * The lock: one lock, the caller's, is held around every call of mmu/ that takes a struct mmu. D
 * bits are cleared and gptes read inside, so nobody finds D=0 over sptes that are still old. Only
 * the guests of other processors run meanwhile: they set A and D, and write their memory.
 */
#ifndef MMU_TRACK_H
#define MMU_TRACK_H

#include "mmu/mmu.h"

/* A byte per frame of L1's memory. The count of writable leaves in NPT02 saturates and then stays.
 */
#define FRAME_TRACKED 0x80u
#define FRAME_DIRTY   0x40u /* written by other ways than NPT01, or may have been */
#define FRAME_WATCHED 0x20u /* ops->frame_changed() wants to know */
#define FRAME_WRITERS 0x1fu /* 4 KiB leaves of NPT02 that let L2 write it */

/* Bytes that tracking needs for memory that ends at this gpa. */
uint64_t track_metadata_size(uint64_t memory_end);

/*
 * Begins tracking for memory below memory_end; metadata is zeroed. Without this call every
 * synchronization compares all pages below a root.
 */
void track_init(struct mmu *mmu, uint64_t memory_end, void *metadata);

/* A page came to shadow the table at gpa; or the last one that did has gone. */
void track_table(struct mmu *mmu, uint64_t gpa);
void untrack_table(struct mmu *mmu, uint64_t gpa);

/* A leaf of a guest's (not of NPT01) is about to appear, or has gone, at this level. */
void track_leaf(struct mmu *mmu, uint64_t spte, int level);
void untrack_leaf(struct mmu *mmu, uint64_t spte, int level);

/*
 * Of most frames that a leaf of 4 KiB lets L2 write only the count changes: by 1 or -1. False:
 * there is more to it.
 */
static inline bool count_writer(struct mmu *mmu, uint64_t spte, int level, int by)
{
	uint64_t frame = spte_frame(spte);

	if (level != 1 || frame >= mmu->frame_count || mmu->frames[frame] > FRAME_WRITERS)
		return false;
	if (mmu->frames[frame] < FRAME_WRITERS)
		mmu->frames[frame] = (uint8_t)(mmu->frames[frame] + by);
	return true;
}

/* spte_set() where there is no table before, not in NPT01, and under nested paging. */
static inline void set_leaf(struct mmu *mmu, struct shadow_page *page, unsigned int index,
                            int level, uint64_t spte)
{
	uint64_t old = page->table[index];

	if (spte_is_writable(spte) && !count_writer(mmu, spte, level, 1))
		track_leaf(mmu, spte, level);
	write_spte(&page->table[index], spte);
	if (!(old & PTE_P))
		count_spte(page, index);
	else if (spte_is_writable(old)) {
		mmu->stale_writers = true;
		if (!count_writer(mmu, old, level, -1))
			untrack_leaf(mmu, old, level);
	}
}

/* The largest level at which NPT01 may map this gpa; then, whether D begins at 0 there. */
int track_level(const struct mmu *mmu, uint64_t gpa, int level);
static inline bool is_tracked(const struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	return frame < mmu->frame_count && (mmu->frames[frame] & FRAME_TRACKED);
}

enum { BLOCK_SHIFT = 9, GIANT_SHIFT = 18 }; /* frames in 2 MiB, in 1 GiB */

/* Is a frame tracked in the 2 MiB, in the 1 GiB around gpa? */
static inline bool in_tracked_block(const struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	return frame < mmu->frame_count && mmu->block_tracked[frame >> BLOCK_SHIFT];
}

static inline bool in_tracked_giant(const struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	return frame < mmu->frame_count && mmu->giant_tracked[frame >> GIANT_SHIFT];
}

/* May others than L1 have written: by large leaves of NPT02; frames of this 2 MiB; this frame? */
static inline bool has_large_writers(const struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	return mmu->block_writers[frame >> BLOCK_SHIFT] || mmu->giant_writers[frame >> GIANT_SHIFT];
}

static inline bool has_noted(const struct mmu *mmu, uint64_t gpa)
{
	return mmu->block_noted[gpa >> (PT_PAGE_SHIFT + BLOCK_SHIFT)];
}

static inline bool has_other_writers(const struct mmu *mmu, uint64_t frame)
{
	return mmu->frames[frame] & (FRAME_DIRTY | FRAME_WRITERS);
}

/* May others than L1 have written the region? Home has to look there, whatever A says. */
static inline bool is_open(const struct mmu *mmu, const struct mmu_cpu *cpu,
                           const struct shadow_page *region)
{
	return cpu == mmu->home &&
	       (has_noted(mmu, region->gpa) || has_large_writers(mmu, region->gpa));
}

static inline bool is_watched(const struct mmu *mmu, uint64_t frame)
{
	return mmu->frames[frame] & FRAME_WATCHED;
}

/* Of so many frames those that are watched can be written from now on without a word. */
void frames_open(struct mmu *mmu, uint64_t first, uint64_t count);

/* Sets or clears FRAME_* of a frame: the way of every change in frames[]. */
void frame_set(struct mmu *mmu, uint64_t frame, unsigned int flags);
void frame_clear(struct mmu *mmu, uint64_t frame, unsigned int flags);

/* Nobody can write any more by a leaf that has gone, or has lost W, without a flush. */
void flush_writers(struct mmu *mmu);

/* ops->frame_changed(), if the frame is watched. */
void frame_tell(struct mmu *mmu, uint64_t frame);

/* A tracked frame was written: brings the shadows of the table in line, tells who watches. */
void frame_written(struct mmu *mmu, uint64_t frame);

/* Brings every shadow of a table that has been written in line with it. */
void track_collect(struct mmu *mmu);

#endif
