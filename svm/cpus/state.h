/*
 * What a vcpu has as one of several: what others see of it and ask (svm/cpus/processors.h).
 * Relies on svm/vmcb.h.
 */
#ifndef SVM_CPUS_STATE_H
#define SVM_CPUS_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "svm/vmcb.h"

struct l1_start;

struct processor {
	/* What keeps the processor from its guest; others set it, too. */
	union {
		struct {
			uint32_t startup; /* STARTUP_*: 0 while the guest may run */
			bool flush;       /* L0 changed tables: the next VMRUN flushes everything */
		};
		uint64_t wanted; /* is not 0 if one of them is not */
	};
	uintptr_t run;   /* odd: in a guest, which has not exited since it was even */
	uint64_t kicked; /* TSC when an NMI of L0's was sent that is on its way; 0: none is */
	uint32_t apic_id;
	bool alone;                   /* there is no other processor */
	bool ready;                   /* its APIC's names are known; while booting */
	uint32_t join;                /* JOIN_*: likewise */
	const struct l1_start *start; /* likewise: what it begins with; NULL: it waits for SIPI */
	uint64_t halt_hpa;            /* VMCB of the guest that waits for SIPI */
	struct vmcb *halt;
	uint64_t hsave_hpa; /* L0's own */
};

#endif
