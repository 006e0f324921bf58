/*
 * Regions: NPT01's tables of 4 KiB leaves, of each processor its own, whose D bits tell which
 * tracked frames L1 has written by this processor. Relies on mmu/mmu.h; for mmu/track.c only.
 *
 * One processor, mmu->home, has a region for every tracked frame. The others have one where they
 * have 4 KiB leaves anyhow; where nothing is mapped nothing can be written. There the fault that
 * maps something makes the region.
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

/* A page of NPT01 ends: what its D bits say is noted in frames[]. */
void region_ends(struct mmu *mmu, struct shadow_page *region);

/*
 * Has L1 written the frame by NPT01 of some processor, or may it have? Asking clears what says so,
 * before anything of the frame is read.
 */
bool regions_written(struct mmu *mmu, uint64_t gpa);

/* Calls frame_written() for each tracked frame that was written in whatever way, or may have been.
 */
void regions_collect(struct mmu *mmu);

#endif
