/*
 * Without nested paging: which of the guest's tables have been written. Frames with a shadow are
 * read-only in every shadow page; the first write faults, and from then on the frame is dirty and
 * writable until a flush of the guest's makes the change show. Tables of any level may be dirty.
 * Relies on mmu/mmu.h; shares the byte per frame of mmu/track.h.
 */
#ifndef MMU_PROTECT_H
#define MMU_PROTECT_H

#include "mmu/track.h"

/* Bytes that it takes for memory that ends at this gpa and for page_count shadow pages. */
uint64_t protect_metadata_size(uint64_t memory_end, uint32_t page_count);

/* Begins, after mmu_init() with shadows_l1_paging set; metadata is zeroed. */
void protect_init(struct mmu *mmu, uint64_t memory_end, void *metadata);

/* Takes the right to write from all leaves of a frame that has just become tracked. */
void protect_frame(struct mmu *mmu, uint64_t frame);

/* A leaf, the spte at this place, appears or goes. Those that let the guest write are listed. */
void list_leaf(struct mmu *mmu, const uint64_t *at, uint64_t spte, int level);
void unlist_leaf(struct mmu *mmu, const uint64_t *at, uint64_t spte, int level);

/* May no leaf let the guest write this frame? */
static inline bool is_protected(const struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	return frame < mmu->frame_count &&
	       (mmu->frames[frame] & (FRAME_TRACKED | FRAME_DIRTY)) == FRAME_TRACKED;
}

/* The guest, or L0 for it, is about to write the frame. */
void protect_note_write(struct mmu *mmu, uint64_t gpa);

/*
 * Protects what is dirty again, and brings its shadows in line. A written table that nothing leads
 * to is most likely none any more: with end_orphans its shadows end. That is not for when somebody
 * holds on to pages without a pin.
 */
void protect_collect(struct mmu *mmu, bool end_orphans);

/* The same as protect_collect() for one watched frame. Returns whether it was dirty. */
bool protect_take_written(struct mmu *mmu, uint64_t gpa);

#endif
