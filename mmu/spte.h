/*
 * What an spte says for an entry of the guest's: rights, memory type, and which page a table's
 * entry leads to. One definition serves both filling and synchronizing. Relies on mmu/mmu.h.
 */
#ifndef MMU_SPTE_H
#define MMU_SPTE_H

#include "mmu/mmu.h"

/* Index into HOST_PAT for a memory type (0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC-). */
extern const uint8_t pat_index_of_type[8];
static inline unsigned int host_pat_index(unsigned int type)
{
	return pat_index_of_type[type & 7];
}

/* The guest's entries have A, and D if writable: the processor need not set them in a leaf. */
#define LEAF_BITS (PTE_P | PTE_A | PTE_D)

/* What chooses a memory type in an spte of level 1. */
extern const uint8_t small_type_bits[8];

/* A leaf at a level, of a memory type (index into HOST_PAT), with rights (of SPTE_RIGHTS). */
static inline uint64_t leaf_spte(uint64_t hpa, int level, unsigned int type, uint64_t rights)
{
	uint64_t frame = hpa & ~((1ull << shadow_shift(level)) - 1);
	uint64_t pat = (uint64_t)(type & 3) << 3;

	if (type & 4)
		pat |= level == 1 ? PTE_PAT : PTE_PAT_LARGE;
	if (level > 1)
		pat |= PTE_PS;
	return frame | pat | rights | LEAF_BITS;
}

/* What of a last-level entry chooses its memory type. */
#define TYPE_BITS (PTE_PWT | PTE_PCD | PTE_PAT)

/* Has ops->map() said last what holds here, too? */
static inline bool is_mapped(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa)
{
	return cpu && cpu->mapped_at == mmu->maps && (gpa & cpu->mapped_mask) == cpu->mapped_gpa;
}

/*
 * Where a page of L1's is. An answer for a larger page than 4 KiB holds for all of it, so that the
 * next question mostly needs none.
 */
struct host_mapping host_of(const struct mmu *mmu, uint64_t gpa);

/* The leaf over a page of L1's, of this memory type, with rights (of SPTE_RIGHTS). */
uint64_t small_leaf_over(const struct mmu *mmu, uint64_t gpa, unsigned int type, uint64_t rights);

/* The leaf for an entry of level 1 that the processor may use, under nested paging. */
static inline __attribute__((always_inline)) uint64_t
small_leaf(const struct mmu *mmu, const struct mmu_cpu *cpu, const struct paging_mode *mode,
           const struct shadow_page *page, uint64_t entry)
{
	uint64_t gpa = leaf_frame(mode, 1, entry), rights = entry & SPTE_RIGHTS;
	unsigned int type = page->role.pat;

	if (__builtin_expect(entry & TYPE_BITS, 0)) /* mostly it is the first of the types */
		type >>= 3 * leaf_pat_index(1, entry);
	/* Until D is set the page is not writable, so that the first write sets it. */
	if (!(entry & PTE_D))
		rights &= ~PTE_W;
	if (__builtin_expect(!is_mapped(mmu, cpu, gpa), 0))
		return small_leaf_over(mmu, gpa, type, rights);
	return (gpa + cpu->mapped_offset) | small_type_bits[type & 7] | rights | LEAF_BITS;
}

/* Where an spte is to lead: to a page of memory, to another table, or nowhere. */
struct target {
	enum { TARGET_NONE, TARGET_LEAF, TARGET_TABLE } kind;
	uint64_t spte;          /* leaf */
	uint64_t gpa;           /* table */
	union shadow_role role; /* table */
	uint64_t rights;        /* table: of SPTE_RIGHTS */
};

/*
 * What spte number index of the page is to be for this entry of the guest's (ignored in direct
 * and passthrough pages). An entry that the processor could not have used without setting A first
 * leads nowhere. past_wp: for a supervisor's write that CR0.WP=0 lets pass.
 */
struct target spte_target(const struct mmu *mmu, const struct paging_mode *mode,
                          const struct shadow_page *page, unsigned int index, uint64_t entry,
                          bool past_wp);

/* Does the spte, which is present, lead to this table already, and with these rights? */
static inline bool same_table(const struct mmu *mmu, const struct shadow_page *page, uint64_t spte,
                              const struct target *target)
{
	const struct shadow_page *child;

	if (target->kind != TARGET_TABLE || spte_is_leaf(spte, page->role.level))
		return false;
	child = page_of_spte(mmu, spte);
	return child->gpa == target->gpa && child->role.word == target->role.word &&
	       (spte & SPTE_RIGHTS) == target->rights;
}

/* The index of the guest's entry behind spte number index of an indirect page. */
unsigned int guest_index_of(const struct paging_mode *mode, const struct shadow_page *page,
                            unsigned int index);

/*
 * Has the processor used the entry, or could it without setting A first? Of nested tables it uses
 * only what is the user's.
 */
static inline bool is_used(const struct paging_mode *mode, uint64_t entry)
{
	uint64_t used = PTE_P | PTE_A | ((mode->flags & MODE_NESTED) ? PTE_U : 0);

	return (entry & used) == used;
}

/* Where L0 sees the guest's entry behind spte number index of an indirect page, and what it says.
 */
static inline const void *place_behind(const struct mmu *mmu, const struct paging_mode *mode,
                                       const struct shadow_page *page, unsigned int index)
{
	return guest_table(&mmu->memory, page->gpa + guest_index_of(mode, page, index) *
	                                                     mode->format->entry_size);
}

static inline uint64_t entry_behind(const struct mmu *mmu, const struct paging_mode *mode,
                                    const struct shadow_page *page, unsigned int index)
{
	return entry_or_ones(place_behind(mmu, mode, page, index), mode->format->entry_size);
}

/* sync.c */

/* Brings spte number index of an indirect page of level 1 in line with its entry. */
void sync_leaf(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page,
               unsigned int index);

/* The same for an spte of a common page by its number, from 0, in all tables; if it is present. */
void sync_number(struct mmu *mmu, uint32_t number);

/* Brings the PDPTEs of a local root in line. */
void sync_local(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page);

/* Brings all common shadows of the table at gpa in line with it. */
void sync_frame(struct mmu *mmu, uint64_t gpa);

/*
 * All common pages, and the page, say what L1's tables say now: only tables that were written are
 * read again, where frames are tracked.
 */
void freshen(struct mmu *mmu, const struct paging_mode *mode, struct shadow_page *page);

/*
 * fill.c: makes NPT01's page of 4 KiB leaves for gpa, where there is no larger leaf; full: it maps
 * what a larger one would.
 */
struct shadow_page *direct_region(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa, bool full);

/* fill.c: fills tables of NPT01 above gpa that are new and there only for the sake of tracking. */
void direct_populate(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa);

#endif
