/*
 * What must always hold where frames are write-protected. Relies on tests/model/own_rig.h.
 */
#include "tests/model/own_rig.h"

#include "tests/model/invariants.h"

#include <inttypes.h>
#include <stdio.h>

static char message[160];

#define WRONG(...)                                                                                 \
	do {                                                                                       \
		snprintf(message, sizeof(message), __VA_ARGS__);                                   \
		return message;                                                                    \
	} while (0)

static unsigned int shift_of(int level)
{
	return 9 * (unsigned int)(level - 1);
}

static unsigned int times_listed(const struct mmu *mmu, uint64_t frame, int level, uint32_t number)
{
	unsigned int times = 0, steps = 0;
	uint32_t previous = 0;

	for (uint32_t at = mmu->leaf_heads[level][frame >> shift_of(level)]; at;
	     at = mmu->leaf_next[at - 1]) {
		if (mmu->leaf_prev[at - 1] != previous || ++steps > mmu->page_count * 512u)
			return 1000;
		previous = at;
		times += at == number;
	}
	return times;
}

static const char *check_writable(const struct mmu *mmu, const struct shadow_page *page,
                                  unsigned int index, uint64_t *writable)
{
	uint64_t spte = page->table[index], frame = (spte & 0x000ffffffffff000ull) >> 12;
	int level = page->role.level;
	uint32_t number = (uint32_t)(&page->table[index] - mmu->tables) + 1;

	if (frame >= mmu->frame_count)
		return NULL;
	(*writable)++;
	frame = frame >> shift_of(level) << shift_of(level);
	if (times_listed(mmu, frame, level, number) != 1)
		WRONG("page %" PRId64
		      ": writable leaf %u is %u times in the list of frame %#" PRIx64,
		      (int64_t)(page - mmu->pages), index, times_listed(mmu, frame, level, number),
		      frame);
	for (uint64_t i = frame; i < frame + (1ull << shift_of(level)) && i < mmu->frame_count;
	     i++) {
		if (is_protected(mmu, i << 12))
			WRONG("page %" PRId64 ": leaf %u of level %d lets frame %#" PRIx64
			      " be written, a table",
			      (int64_t)(page - mmu->pages), index, level, i);
		if (level > 1 && (mmu->frames[i] & FRAME_TRACKED))
			WRONG("page %" PRId64 ": leaf %u of level %d covers frame %#" PRIx64
			      ", a table",
			      (int64_t)(page - mmu->pages), index, level, i);
	}
	return NULL;
}

static const char *check_leaves(const struct mmu *mmu, uint64_t *writable)
{
	for (uint32_t i = 0; i < mmu->page_count; i++) {
		const struct shadow_page *page = &mmu->pages[i];

		for (unsigned int n = 0; page->live && n < 512; n++) {
			uint64_t spte = page->table[n];
			const char *wrong;

			if (page->role.pdptes &&
			    ((n > 3 && spte) || (spte & ~(0x000ffffffffff000ull | 1 | 1 << 5))))
				WRONG("page %u of PDPTEs: spte %u is %#" PRIx64, i, n, spte);
			if ((spte & 3) != 3 || (page->role.level > 1 && !(spte & 0x80)))
				continue;
			wrong = check_writable(mmu, page, n, writable);
			if (wrong)
				return wrong;
		}
	}
	return NULL;
}

static const char *check_lists(const struct mmu *mmu, uint64_t writable)
{
	uint64_t listed = 0;

	for (int level = 1; level <= 3; level++) {
		for (uint64_t n = 0; n <= mmu->frame_count >> shift_of(level); n++) {
			for (uint32_t at = mmu->leaf_heads[level][n]; at;
			     at = mmu->leaf_next[at - 1])
				listed++;
		}
	}
	if (listed != writable)
		WRONG("%" PRIu64 " leaves are listed, %" PRIu64 " can be written", listed,
		      writable);
	return NULL;
}

/* Frames that tests never use are looked at once in a while only: here those of guest memory. */
static const char *check_frames(const struct rig *rig)
{
	const struct mmu *mmu = &rig->mmu;

	for (unsigned int i = 0; i < RAM_PAGES; i++) {
		uint64_t gpa = ram_page_gpa(i), frame = gpa >> 12;
		uint8_t flags = mmu->frames[frame];
		uint32_t at = 0;

		if (!(flags & FRAME_TRACKED) && page_shadows(mmu, gpa))
			WRONG("frame %#" PRIx64 " is a table and not tracked", frame);
		if ((flags & FRAME_TRACKED) && !(flags & FRAME_WATCHED) && !page_shadows(mmu, gpa))
			WRONG("frame %#" PRIx64 " is tracked and no table", frame);
		if ((flags & FRAME_DIRTY) && !(flags & FRAME_TRACKED))
			WRONG("frame %#" PRIx64 " is dirty and not tracked", frame);
		while (at < mmu->dirty_count && mmu->dirty[at] != frame)
			at++;
		if ((flags & FRAME_DIRTY) && at == mmu->dirty_count)
			WRONG("frame %#" PRIx64 " is dirty and nothing knows", frame);
	}
	return NULL;
}

static const char *check_counts(const struct mmu *mmu)
{
	uint64_t tracked = 0, blocks = 0, giants = 0;

	for (unsigned int i = 0; i < RAM_PAGES; i++)
		tracked += mmu->frames[ram_page_gpa(i) >> 12] >> 7;
	for (uint64_t i = 0; i <= mmu->frame_count >> 9; i++)
		blocks += mmu->block_tracked[i];
	for (uint64_t i = 0; i <= mmu->frame_count >> 18; i++)
		giants += mmu->giant_tracked[i];
	if (blocks != tracked || giants != tracked || mmu->frames_tracked != tracked)
		WRONG("%" PRIu64 " frames are tracked, counted %" PRIu64 ", %" PRIu64 ", %" PRIu64,
		      tracked, blocks, giants, mmu->frames_tracked);
	return NULL;
}

const char *own_broken_invariant(const struct rig *rig)
{
	const char *wrong = broken_invariant(&rig->mmu, rig->cpu, RIG_CPUS);
	uint64_t writable = 0;

	if (!wrong)
		wrong = check_leaves(&rig->mmu, &writable);
	if (!wrong)
		wrong = check_frames(rig);
	return wrong ? wrong : check_counts(&rig->mmu);
}

/* Goes over all of memory: for tests that end. */
const char *own_broken_list(const struct rig *rig)
{
	const char *wrong = own_broken_invariant(rig);
	uint64_t writable = 0;

	if (!wrong)
		wrong = check_leaves(&rig->mmu, &writable);
	return wrong ? wrong : check_lists(&rig->mmu, writable);
}
