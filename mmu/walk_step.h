/*
 * One entry's part in a walk of a guest's tables: for mmu/walk.c, and for mmu/fault.c where only
 * the leaf is left to do. Relies on mmu/walk.h.
 */
#ifndef MMU_WALK_STEP_H
#define MMU_WALK_STEP_H

#include "mmu/walk.h"

struct step {
	uint64_t entry;  /* as read, then with A and D as set */
	uint64_t rights; /* of this entry and those above: W and U, and NX reversed */
	uint32_t code;   /* WALK_FAULT: FAULT_* */
	bool leaf;
};

/* Sets bits in an entry unless it is no longer what was read. */
static inline bool update_entry(void *at, unsigned int size, uint64_t was, uint64_t bits)
{
	uint32_t was32 = (uint32_t)was;

	if (size == 8)
		return __atomic_compare_exchange_n((uint64_t *)at, &was, was | bits, false,
		                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)at, &was32, was32 | (uint32_t)bits, false,
	                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* APM vol. 2, section 5.6; for nested tables 15.25.5: all accesses are the user's. */
static inline bool allowed(const struct paging_mode *mode, bool nested, uint64_t rights,
                           uint32_t access)
{
	bool user = nested || (access & ACCESS_USER);
	bool wp = user || (mode->flags & MODE_WP);

	if (user && !(rights & PTE_U))
		return false;
	if ((access & ACCESS_WRITE) && !(rights & PTE_W) && wp)
		return false;
	if ((access & ACCESS_FETCH) && !(rights & PTE_NX))
		return false;
	if (user || !(rights & PTE_U))
		return true;
	if ((access & ACCESS_FETCH) && (mode->flags & MODE_SMEP))
		return false;
	return (access & ACCESS_FETCH) || !(access & ACCESS_SMAP_CHECK) ||
	       !(mode->flags & MODE_SMAP);
}

static inline uint32_t fault_code(const struct paging_mode *mode, uint32_t access, uint32_t why)
{
	if (access & ACCESS_WRITE)
		why |= FAULT_W;
	if ((access & ACCESS_USER) || (mode->flags & MODE_NESTED))
		why |= FAULT_U;
	/* I/D is reported only where no-execute or SMEP can be the reason (APM 8.2.15). */
	if ((access & ACCESS_FETCH) && (mode->flags & (MODE_NX | MODE_SMEP)))
		why |= FAULT_ID;
	return why;
}

static inline enum walk_status deny(struct step *step, const struct paging_mode *mode,
                                    uint32_t access, uint32_t why)
{
	step->code = fault_code(mode, access, why);
	return WALK_FAULT;
}

/*
 * Checks an entry, and sets A and D in it, which stands at gpa and which L0 sees at this place. The
 * step begins with the entry, and the rights of those above. nested: what the mode says, too.
 */
static inline __attribute__((always_inline)) enum walk_status
walk_step(const struct guest_memory *memory, const struct paging_mode *mode, bool nested, int level,
          void *at, uint64_t gpa, unsigned int size, uint32_t access, struct step *step)
{
	bool has_rights = level == 1 || mode->format->level[level].rights;
	uint64_t bits = has_rights ? PTE_A : 0;

	if (!(step->entry & PTE_P))
		return deny(step, mode, access, 0);
	if (entry_reserved(mode, level, step->entry))
		return deny(step, mode, access, FAULT_P | FAULT_RSV);
	step->leaf = entry_is_leaf(mode, level, step->entry);
	if (has_rights)
		step->rights &= step->entry ^ PTE_NX;
	if (step->leaf) {
		if (!allowed(mode, nested, step->rights, access))
			return deny(step, mode, access, FAULT_P);
		if (access & ACCESS_WRITE)
			bits |= PTE_D;
	}
	if (bits & ~step->entry) {
		if (memory->written)
			memory->written(memory->context, gpa);
		if (at && !update_entry(at, size, step->entry, bits))
			return WALK_RETRY;
		step->entry |= bits;
	}
	return WALK_OK;
}

#endif
