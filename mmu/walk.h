/*
 * The walk of a guest's page tables as the processor does it: reads entries, checks them, sets
 * A and D. Relies on mmu/format.h and on the guest's memory through struct guest_memory.
 */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "mmu/format.h"

#include <stddef.h>

/* How a walk reaches the guest's memory. */
struct guest_memory {
	/*
	 * The 4 KiB page at this gpa (page aligned), or NULL where the guest has no memory: reads
	 * there give all ones, writes vanish.
	 */
	void *(*page)(void *context, uint64_t gpa);
	/* The walk is about to write the entry there (A or D bits). May be NULL. */
	void (*written)(void *context, uint64_t gpa);
	void *context;
};

#define ACCESS_WRITE      (1u << 0)
#define ACCESS_USER       (1u << 1)
#define ACCESS_FETCH      (1u << 2)
#define ACCESS_SMAP_CHECK (1u << 3) /* a supervisor's access while SMAP holds (EFLAGS.AC=0) */

/* Fault codes are those of #PF, which #VMEXIT(NPF) shares; APM vol. 2, sections 8.2.15, 15.25.6. */
#define FAULT_P   (1u << 0)
#define FAULT_W   (1u << 1)
#define FAULT_U   (1u << 2)
#define FAULT_RSV (1u << 3)
#define FAULT_ID  (1u << 4)

/*
 * The access (ACCESS_*) that was denied with this error code; ac: EFLAGS.AC is 1 and counts, as it
 * does at CPL 0 to 2. Of what the processor reads for itself there, as from descriptor tables,
 * nothing tells, and AC does not count then. But a supervisor's read of what is present is denied
 * by nothing else than SMAP.
 */
uint32_t access_of_fault(uint64_t code, bool ac);

enum walk_status {
	WALK_OK,
	WALK_FAULT, /* as the processor would: code says which */
	WALK_RETRY, /* another processor kept changing the tables: let the guest try again */
};

struct walk {
	int level;                        /* of the leaf, or where the walk faulted */
	uint64_t gpa;                     /* WALK_OK: where the address leads */
	uint32_t code;                    /* WALK_FAULT: FAULT_* */
	uint64_t rights;                  /* of the entries above: W and U, and NX reversed */
	uint64_t table[PT_MAX_LEVEL + 1]; /* gpa of the table read at each level */
	uint64_t entry[PT_MAX_LEVEL + 1]; /* the entry used there, with A and D as set */
	void *at[PT_MAX_LEVEL + 1];       /* where L0 sees it; NULL: nowhere, or in registers */
};

/*
 * Walks from the table at root (gpa) for an access (ACCESS_*) to address, which is a gva or an
 * ngpa. Non-canonical addresses are the caller's to refuse; bits beyond the format's address
 * width fault. A is set in every entry used, D in the leaf of a write, each atomically.
 */
enum walk_status guest_walk(const struct guest_memory *memory, const struct paging_mode *mode,
                            uint64_t root, uint64_t address, uint32_t access, struct walk *walk);

/* Where L0 sees the guest's table (or entry) at gpa; NULL where the guest has no memory. */
void *guest_table(const struct guest_memory *memory, uint64_t gpa);

/*
 * An entry of 8 bytes, read once. 32-bit code has no plain load of so many: where the low half is
 * the same behind the high one both belong together, unless L1 wrote the entry twice in between. It
 * gets no more by that than if it had written the mixture.
 */
static inline uint64_t wide_entry_at(const uint64_t *at)
{
	const volatile uint32_t *half = (const volatile uint32_t *)at;

	if (sizeof(long) < sizeof(*at)) {
		uint32_t low = half[0], high = half[1];

		if (half[0] == low)
			return (uint64_t)high << 32 | low;
	}
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

/* An entry of 4 or 8 bytes, read once. */
static inline uint64_t entry_at(const void *at, unsigned int size)
{
	return size == 8 ? wide_entry_at(at)
	                 : __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
}

/* The same where there may be no memory, but ones. */
static inline uint64_t entry_or_ones(const void *at, unsigned int size)
{
	if (!at)
		return size == 8 ? ~0ull : 0xffffffffu;
	return entry_at(at, size);
}

/* Does this level stand in the processor's registers, as the PDPTEs of L1's own PAE tables do? */
static inline bool in_registers(const struct paging_mode *mode, int level)
{
	return level == 3 && mode->pdptes;
}

/*
 * Where an address leads, for L0's own use right behind the processor: no rights are checked and
 * no bits set. False when it leads nowhere.
 */
bool guest_peek(const struct guest_memory *memory, const struct paging_mode *mode, uint64_t root,
                uint64_t address, uint64_t *gpa);

#endif
