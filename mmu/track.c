/*
 * Tracked frames. Relies on mmu/spte.h for the shadows of a table, on mmu/link.c for NPT01.
 */
#include "mmu/track.h"
#include "mmu/protect.h"
#include "mmu/spte.h"

#include <stddef.h>

enum { BLOCK_SHIFT = 9, GIANT_SHIFT = 18, REGION_LEVEL = 1 };

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

	return align8(frames) + align8(2 * count_of(frames, BLOCK_SHIFT) * sizeof(uint16_t)) +
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
	at += align8(2 * count_of(frames, BLOCK_SHIFT) * sizeof(uint16_t));
	mmu->giant_tracked = (uint32_t *)at;
	mmu->giant_writers = (uint16_t *)(mmu->giant_tracked + count_of(frames, GIANT_SHIFT));
	mmu->frame_count = frames;
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

/* NPT01's page of 4 KiB leaves for a frame, or NULL where it has larger ones or none. */
static struct shadow_page *region_of(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa)
{
	struct shadow_page *page = cpu->direct;

	while (page->role.level > REGION_LEVEL) {
		uint64_t spte = page->table[shadow_index(page->role.level, gpa)];

		if (!(spte & PTE_P) || spte_is_leaf(spte, page->role.level))
			return NULL;
		page = page_of_spte(mmu, spte);
	}
	return page;
}

/* Pages on the way to a page with tracked frames stay as long as these are tracked. */
static void pin_upwards(const struct mmu *mmu, struct shadow_page *page, int pins)
{
	for (;;) {
		page->pins += (uint32_t)pins;
		if (!page->parent)
			return;
		page = &mmu->pages[(size_t)(page->parent - mmu->tables) / SHADOW_ENTRIES];
	}
}

static void add_to_region(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	unsigned int index = shadow_index(REGION_LEVEL, gpa);
	struct shadow_page *region = region_of(mmu, cpu, gpa);
	uint64_t bit = 1ull << index % 64;

	if (!region)
		region = direct_region(mmu, cpu, gpa);
	cpu->flush_direct = true; /* of the larger page that was there, or of D=1 */
	if (region->tracked[index / 64] & bit)
		return;
	region->tracked[index / 64] |= bit;
	region->table[index] &= ~PTE_D;
	if (region->tracked_count++)
		return;
	region->next_region = cpu->regions;
	cpu->regions = region;
	pin_upwards(mmu, region, 1);
}

static void leave_region(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region)
{
	struct shadow_page **at = &cpu->regions;

	while (*at != region)
		at = &(*at)->next_region;
	*at = region->next_region;
	pin_upwards(mmu, region, -1);
}

static void remove_from_region(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	unsigned int index = shadow_index(REGION_LEVEL, gpa);
	struct shadow_page *region = region_of(mmu, cpu, gpa);
	uint64_t bit = 1ull << index % 64;

	if (!region || !(region->tracked[index / 64] & bit))
		return;
	region->tracked[index / 64] &= ~bit;
	if (!--region->tracked_count)
		leave_region(mmu, cpu, region);
}

static void track(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame >= mmu->frame_count || (mmu->frames[frame] & FRAME_TRACKED) ||
	    !mmu->memory.page(mmu->memory.context, frame << PT_PAGE_SHIFT))
		return;
	mmu->frames[frame] |= FRAME_TRACKED;
	mmu->frames[frame] &= ~FRAME_DIRTY & 0xff;
	mmu->block_tracked[frame >> BLOCK_SHIFT]++;
	mmu->giant_tracked[frame >> GIANT_SHIFT]++;
	mmu->counters.frames_tracked++;
	/* L2 may still write by a translation whose leaf has gone. */
	if (mmu->stale_writers)
		mmu->ops->flush_all(mmu->context);
	mmu->stale_writers = false;
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next)
		add_to_region(mmu, cpu, gpa);
}

static void untrack(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next)
		remove_from_region(mmu, cpu, gpa);
	mmu->frames[frame] &= ~(FRAME_TRACKED | FRAME_DIRTY) & 0xff;
	mmu->block_tracked[frame >> BLOCK_SHIFT]--;
	mmu->giant_tracked[frame >> GIANT_SHIFT]--;
	mmu->counters.frames_tracked--;
}

void track_table(struct mmu *mmu, uint64_t gpa)
{
	track(mmu, gpa);
}

void untrack_table(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (is_tracked(mmu, gpa) && !(mmu->frames[frame] & FRAME_WATCHED) &&
	    !page_shadows(mmu, gpa))
		untrack(mmu, gpa);
}

void mmu_watch(struct mmu *mmu, uint64_t gpa)
{
	if (mmu->own_paging) {
		protect_watch(mmu, gpa);
		return;
	}
	pool_reserve(mmu, pages_for(mmu, 1));
	track(mmu, gpa);
	if (is_tracked(mmu, gpa))
		mmu->frames[gpa >> PT_PAGE_SHIFT] |= FRAME_WATCHED;
}

void mmu_unwatch(struct mmu *mmu, uint64_t gpa)
{
	if (!is_tracked(mmu, gpa))
		return;
	mmu->frames[gpa >> PT_PAGE_SHIFT] &= ~FRAME_WATCHED & 0xff;
	(mmu->own_paging ? unprotect_table : untrack_table)(mmu, gpa);
}

void mmu_note_write(struct mmu *mmu, uint64_t gpa)
{
	if (mmu->own_paging)
		protect_note_write(mmu, gpa);
	else if (is_tracked(mmu, gpa))
		mmu->frames[gpa >> PT_PAGE_SHIFT] |= FRAME_DIRTY;
}

void mmu_note_walk(struct mmu *mmu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;

	if (frame < mmu->frame_count && (mmu->frames[frame] & FRAME_WATCHED))
		mmu_note_write(mmu, gpa);
}

static bool writable(uint64_t spte)
{
	return (spte & (PTE_P | PTE_W)) == (PTE_P | PTE_W);
}

static uint64_t frame_of(uint64_t spte)
{
	return (spte & 0x000ffffffffff000ull) >> PT_PAGE_SHIFT;
}

void track_leaf(struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = frame_of(spte);

	if (!writable(spte) || frame >= mmu->frame_count)
		return;
	if (level == 1) {
		if ((mmu->frames[frame] & FRAME_WRITERS) < FRAME_WRITERS)
			mmu->frames[frame]++;
	} else if (level == 2) {
		if (mmu->block_writers[frame >> BLOCK_SHIFT] < UINT16_MAX)
			mmu->block_writers[frame >> BLOCK_SHIFT]++;
	} else if (mmu->giant_writers[frame >> GIANT_SHIFT] < UINT16_MAX) {
		mmu->giant_writers[frame >> GIANT_SHIFT]++;
	}
}

/* L2 may have written the tracked frames of a leaf that goes, and may until it is flushed. */
static void note_frames(struct mmu *mmu, uint64_t first, uint64_t count, uint64_t tracked)
{
	if (!tracked)
		return;
	for (uint64_t i = first; i < first + count && i < mmu->frame_count; i++) {
		if (mmu->frames[i] & FRAME_TRACKED)
			mmu->frames[i] |= FRAME_DIRTY;
	}
	mmu->ops->flush_all(mmu->context);
}

void untrack_leaf(struct mmu *mmu, uint64_t spte, int level)
{
	uint64_t frame = frame_of(spte), block = frame >> BLOCK_SHIFT, giant = frame >> GIANT_SHIFT;

	if (!writable(spte) || frame >= mmu->frame_count)
		return;
	mmu->stale_writers = true;
	if (level == 1) {
		if ((mmu->frames[frame] & FRAME_WRITERS) < FRAME_WRITERS)
			mmu->frames[frame]--;
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

/* Was the frame written since the last call? Ready for the next writes, unless L2 can do them. */
static bool take_written(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t frame, uint64_t *leaf)
{
	bool by_l1 = *leaf & PTE_D;
	bool by_others = (mmu->frames[frame] & (FRAME_DIRTY | FRAME_WRITERS)) ||
	                 mmu->block_writers[frame >> BLOCK_SHIFT] ||
	                 mmu->giant_writers[frame >> GIANT_SHIFT];

	if (by_l1) {
		*leaf &= ~PTE_D;
		cpu->flush_direct = true;
	}
	mmu->frames[frame] &= ~FRAME_DIRTY & 0xff;
	return by_l1 || by_others;
}

static void written(struct mmu *mmu, uint64_t frame)
{
	mmu->counters.frames_dirty++;
	sync_frame(mmu, frame << PT_PAGE_SHIFT);
	if (mmu->frames[frame] & FRAME_WATCHED)
		mmu->ops->frame_changed(mmu->context, frame << PT_PAGE_SHIFT);
}

static void collect_region(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region)
{
	for (unsigned int word = 0; word < SHADOW_ENTRIES / 64; word++) {
		for (uint64_t bits = region->tracked[word]; bits; bits &= bits - 1) {
			unsigned int index = word * 64 + (unsigned int)__builtin_ctzll(bits);
			uint64_t frame = (region->gpa >> PT_PAGE_SHIFT) + index;

			if (take_written(mmu, cpu, frame, &region->table[index]))
				written(mmu, frame);
		}
	}
}

void track_collect(struct mmu *mmu)
{
	mmu->counters.collects++;
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		for (struct shadow_page *region = cpu->regions; region;
		     region = region->next_region)
			collect_region(mmu, cpu, region);
	}
}

bool mmu_watch_written(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	uint64_t frame = gpa >> PT_PAGE_SHIFT;
	struct shadow_page *region;

	if (mmu->own_paging)
		return protect_take_written(mmu, gpa);
	if (!is_tracked(mmu, gpa))
		return false;
	region = region_of(mmu, cpu, gpa);
	if (!take_written(mmu, cpu, frame, &region->table[shadow_index(REGION_LEVEL, gpa)]))
		return false;
	written(mmu, frame);
	return true;
}
