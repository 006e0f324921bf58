/*
 * What a vcpu has of the paging that L0 shadows where there is no nested paging.
 * Relies on mmu/mmu.h.
 */
#ifndef SVM_SHADOWED_STATE_H
#define SVM_SHADOWED_STATE_H

#include "mmu/mmu.h"

/* Of a guest whose paging L0 shadows: what it has written to the registers that decide of it. */
struct paging_registers {
	uint64_t cr0, cr3, cr4, efer;
};

/* Its tables, as these registers name them. */
struct shadowed_paging {
	struct guest_tables tables;
	uint64_t key, pat; /* what tables.mode and tables.pat were made from */
	uint64_t pdptes[4];
};

struct shadowed {
	struct shadowed_paging paging[2]; /* of L1 and of L2 */
	struct paging_registers believed; /* of who runs, while it runs */
	uint64_t real_cr3;                /* ... and its CR3 in truth */
};

#endif
