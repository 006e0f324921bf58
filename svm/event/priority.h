/*
 * What an exit's handler leaves to be done for its guest, what else is due, and which of it comes
 * first. Relies on svm/vmcb.h. Handlers only leave word (svm/event/event.h): svm/settle.c acts.
 */
#ifndef SVM_EVENT_PRIORITY_H
#define SVM_EVENT_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

enum outcome_kind {
	OUTCOME_RESUME,    /* nothing: the guest goes on */
	OUTCOME_EXCEPTION, /* raised in the guest */
	OUTCOME_FAULT,     /* the same, maybe amid the delivery of another event */
	OUTCOME_EXIT,      /* L1's, in any case */
	OUTCOME_SHUTDOWN,
};

/* All of them as the #VMEXIT that L1 gets if it intercepts them; of #PF info2 is CR2. */
struct outcome {
	uint64_t code, info1, info2;
};

/* What is to be settled before the guest in use runs: nothing, if the whole word is 0. */
union due {
	uint64_t any;
	struct {
		uint8_t outcome;    /* enum outcome_kind */
		bool machine_check; /* these three are L1's, and wait until it can take them */
		bool init;
		bool nmi;
	};
};

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
