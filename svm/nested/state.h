/*
 * What a vcpu has of nested SVM: VMCB12s, VMCB02s, the maps of L2, a step of string I/O.
 * Relies on svm/vmcb.h and mmu/mmu.h.
 */
#ifndef SVM_NESTED_STATE_H
#define SVM_NESTED_STATE_H

#include <stdbool.h>

#include "mmu/mmu.h"
#include "svm/vmcb.h"

/* What L0 keeps of VMCB12 while L2 runs: the snapshot of its control area. */
struct nested_control {
	union {
		uint32_t intercepts[INTERCEPT_WORDS];
		uint64_t intercept_pairs[INTERCEPT_WORDS / 2];
	};
	uint64_t iopm_base_pa, msrpm_base_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint64_t int_ctl, int_state;
	uint64_t nested_ctl;
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint32_t pause_filter; /* threshold and count */
};

/* A VMCB02, and the VMCB12 that it stands for: svm/nested/vmcb02.c. */
struct vmcb02 {
	struct vmcb *vmcb;
	uint64_t hpa;
	uint64_t gpa; /* of VMCB12; all ones: none yet */
	struct vmcb *vmcb12;
	uint64_t used;
	struct nested_control ctl; /* vcpu->nested.ctl, while another is in use */
	/*
	 * What is in VMCB02 was built from ctl, and what has been run from it since has passed the
	 * checks or come from the processor: what is the same at the next VMRUN may stay.
	 */
	bool again;
};

enum { VMCB02S = 4 };

#define ALL_STALE (~0u)

/* A map of L1's merged with L0's own. L1's is watched: it is merged again when it was written. */
struct merged_map {
	uint64_t *map;
	uint64_t hpa;
	uint64_t gpa; /* of L1's map */
	bool used;
	bool lent;       /* L2 may run by the copy until its processor flushes, valid or not */
	uint32_t stale;  /* pages of L1's that were written since they were merged, a bit each */
	uint64_t marked; /* gpa, with NP_ENABLE, if marks tell of writes; else all ones */
	struct watch_marks marks;
};

/* One more IOPM is made anew for each step of string I/O. */
enum { MERGED_MSRPMS = 4, MERGED_IOPMS = 2, STEP_IOPM = MERGED_IOPMS, IOPMS };

/* MSRPMs, or IOPMs. */
struct merged_maps {
	const uint64_t *l0; /* L0's own */
	uint64_t l0_hpa;
	unsigned int pages, count;
	unsigned int next;       /* to be given up */
	struct merged_map *last; /* used last */
	struct merged_map map[MERGED_MSRPMS];
};

/* L0 steps over string I/O of L2's, and what VMCB02 had before: svm/nested/string_io.c. */
struct string_step {
	bool on;
	uint64_t iopm;
};

struct nested {
	struct vmcb02 vmcb02s[VMCB02S];
	struct vmcb02 *slot;       /* in use; so are its four: */
	struct nested_control ctl; /* of VMCB12, while guest_mode */
	struct vmcb *vmcb12;       /* in the window */
	uint64_t vmcb02_changes;
	struct guest_tables tables;   /* L1's nested tables, if it uses any */
	uint64_t key;                 /* of tables.mode, which was made from it */
	uint64_t cr3, cr4, efer, pat; /* nCR3 and L1's: tables are what they say */
	struct merged_maps msrpms, iopms;
	struct string_step string_step;
};

#endif
