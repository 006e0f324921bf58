/*
 * Regions: NPT01's tables of 4 KiB leaves, of each processor its own, whose D bits tell which
 * tracked frames L1 has written by this processor. Relies on mmu/mmu.h; for mmu/track.c only.
 *
 * One processor, mmu->home, has a region for every tracked frame. The others have one where they
 * have 4 KiB leaves anyhow; where nothing is mapped nothing can be written. There the fault that
 * maps something makes the region.
 *
 * A giant is the table above, of 1 GiB: its A bits tell to which regions L1 came, the one above it
 * whether it came to any (docs/shadow-paging.md).
 *
 * "Unarmed": D of a leaf was cleared while its processor ran, and the processor has not flushed
 * since; it may write by a translation with D=1 that it has cached. Such a frame counts as written,
 * and once more after that flush, for what was written before it.
 */
#ifndef MMU_REGION_H
#define MMU_REGION_H

#include "mmu/mmu.h"

/*
 * Begins to watch a frame of L1's in NPT01 of every processor. Flushes if a running one had it in a
 * larger page: none may ever have two sizes for one address in its TLB.
 */
void regions_add(struct mmu *mmu, uint64_t gpa);
void regions_remove(struct mmu *mmu, uint64_t gpa);

/* The processor's NPT01 was filled for gpa. */
void region_filled(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa);

/* A region or a giant ends: what D bits say is noted in frames[]. */
void region_ends(struct mmu *mmu, struct shadow_page *page);

/*
 * Others than L1 may have written tracked frames around gpa: in its region (level 1 or 2), in all
 * of the giant (3). Home has to look at it, whether L1 came there or not.
 */
void regions_wake(struct mmu *mmu, uint64_t gpa, int level);

/*
 * Has L1 written the frame by NPT01 of some processor, or may it have? Asking clears what says so,
 * before anything of the frame is read.
 */
bool regions_written(struct mmu *mmu, uint64_t gpa);

/* Calls frame_written() for each tracked frame that was written in whatever way, or may have been.
 */
void regions_collect(struct mmu *mmu);

/* For mmu/collect.c. */

enum { REGION_LEVEL = 1, GIANT_LEVEL = 2, WORDS = SHADOW_ENTRIES / 64 };

/*
 * Whoever comes to a region's leaves without having them cached sets A in the entry above it, and
 * in the one above that, unless it has these cached. When a flush is due anyway A is cleared:
 * behind that flush A=0 says that no D in the region, nor A in the giant, was set.
 */
enum quiet {
	AWAKE,   /* A=1 is cached, perhaps */
	FALLING, /* A is cleared, but the processor has not flushed since */
	QUIET,   /* as long as A=0 the processor has nothing of it cached */
	WAKEFUL, /* below a PDPTE, where no A is: its A=0 says nothing */
};

/*
 * What is woken before the next flush is not put to sleep again so soon: clearing A is not for
 * nothing, least of all on a hypervisor, which has to see A set again. Twice as long each time.
 */
enum { RESTLESS_MOST = 63 };

/* For so many collections, this one included, a page that is awake stays so; 0: it may fall asleep.
 */
static inline uint32_t stays_awake(const struct mmu *mmu, const struct shadow_page *page)
{
	uint32_t left = page->until - mmu->collections;

	return left <= RESTLESS_MOST ? left : 0; /* else it is long over */
}

/* The processor's page of NPT01 of this level for a frame; NULL where larger leaves are, or none.
 */
struct shadow_page *find_page(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa,
                              int level);

/* The region that the first bit of a word of the giant's stands for. */
static inline struct shadow_page *region_at(const struct mmu *mmu, const struct shadow_page *giant,
                                            unsigned int word, uint64_t bits)
{
	return page_of_spte(mmu, giant->table[word * 64 + (unsigned int)__builtin_ctzll(bits)]);
}

/* The next write of L1's to this frame sets D again. The processor at work runs no guest before. */
void clear_dirty(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                 unsigned int index);

#endif
