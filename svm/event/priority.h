/*
 * Which comes first of what is due for a guest (svm/event/state.h). Relies on nothing.
 */
#ifndef SVM_EVENT_PRIORITY_H
#define SVM_EVENT_PRIORITY_H

#include <stdint.h>

struct vcpu;

enum next {
	NEXT_NOTHING,
	NEXT_BEHIND, /* something, but an event is to be injected before it */
	NEXT_MACHINE_CHECK,
	NEXT_INIT, /* the processor begins to wait for SIPI */
	NEXT_INIT_EXITS,
	NEXT_INIT_RAISES, /* #SX: VM_CR.R_INIT */
	NEXT_NMI,
	NEXT_NMI_EXITS,
};

/* What of all that is due, besides the outcome, the guest in use takes now. */
enum next what_is_next(const struct vcpu *vcpu);

/*
 * An exception while event, EXITINTINFO, is being delivered: the vector that comes of both, or
 * SHUTS_DOWN (APM vol. 2, section 8.2.9).
 */
enum { SHUTS_DOWN = 256 };
unsigned int combined_vector(uint64_t event, unsigned int vector);

#endif
