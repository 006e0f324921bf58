/*
 * What others must know of a vcpu's local APIC.
 * Relies on nothing.
 */
#ifndef SVM_APIC_STATE_H
#define SVM_APIC_STATE_H

#include <stdint.h>

/* The real APIC is L1's: svm/apic/apic.h. What others must know of it. */
struct local_apic {
	uint64_t base;     /* APIC_BASE as L1 has written it */
	uint64_t page;     /* gpa of its registers in truth; all ones: it is in x2APIC mode */
	uint32_t id;       /* L1 cannot change it */
	uint32_t ldr, dfr; /* logical destination; its format */
};

#endif
