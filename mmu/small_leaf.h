/*
 * How leaves are made: for mmu/spte.c, and for mmu/fault.c where there is nothing else to do.
 * Relies on mmu/spte.h.
 */
#ifndef MMU_SMALL_LEAF_H
#define MMU_SMALL_LEAF_H

#include "mmu/spte.h"

/* The memory type (both are indexes into HOST_PAT) of a leaf over memory that has one itself. */
unsigned int type_over(const struct host_mapping *host, unsigned int type);

/*
 * Where a page of L1's is. An answer for a larger page than 4 KiB holds for all of it, so that the
 * next question mostly needs none.
 */
static inline struct host_mapping host_of(const struct mmu *mmu, uint64_t gpa)
{
	struct mmu_cpu *cpu = mmu->self;
	uint64_t now = mmu->maps;
	struct host_mapping host;

	if (cpu && cpu->mapped_at == now && (gpa & cpu->mapped_mask) == cpu->mapped_gpa)
		return (struct host_mapping){.hpa = gpa + cpu->mapped.hpa,
		                             .level = cpu->mapped.level,
		                             .typed = cpu->mapped.typed,
		                             .type = cpu->mapped.type};
	host = mmu->ops->map(mmu->context, gpa);
	if (cpu && host.level > 1) {
		cpu->mapped_mask = ~0ull << shadow_shift(host.level);
		cpu->mapped_gpa = gpa & cpu->mapped_mask;
		cpu->mapped_at = now;
		cpu->mapped = host;
		cpu->mapped.hpa -= gpa;
	}
	return host;
}

/* The leaf for an entry of level 1 that the processor may use, under nested paging. */
static inline uint64_t small_leaf(const struct mmu *mmu, const struct paging_mode *mode,
                                  const struct shadow_page *page, uint64_t entry)
{
	struct host_mapping host = host_of(mmu, leaf_frame(mode, 1, entry));
	/* Mostly the leaf chooses the first of the types. */
	unsigned int pat = entry & TYPE_BITS ? leaf_pat_index(1, entry) : 0;
	unsigned int type = host_pat_index(page->role.pat >> (3 * pat));
	uint64_t rights = entry & SPTE_RIGHTS;

	if (host.typed)
		type = type_over(&host, type);
	/* Until D is set the page is not writable, so that the first write sets it. */
	if (!(entry & PTE_D) || host.read_only)
		rights &= ~PTE_W;
	return leaf_spte(host.hpa, 1, type, rights);
}

#endif
