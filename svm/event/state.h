/*
 * What an exit's handler leaves to be done for its guest, what else is due, and what a vcpu has of
 * events. Relies on nothing. Handlers only leave word (svm/event/event.h): svm/settle.c acts.
 */
#ifndef SVM_EVENT_STATE_H
#define SVM_EVENT_STATE_H

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
		bool inject; /* EVENTINJ was set: what is_from_instruction() asks is to be noted */
		bool injected; /* ... and forgotten: the guest was entered with it */
		bool hold;     /* always, for quirk_hold_interrupts(): nobody waits for it */
	};
};

/* An instruction of the guest's under a TF of L0's, and what VMCB had before: svm/event/step.c. */
struct step {
	bool on, guests; /* guests: it has set TF, too */
	uint32_t exceptions, misc1;
	uint64_t dr6;
};

struct event {
	union due due; /* to be settled before the guest runs */
	struct outcome outcome;
	uint64_t injected, entry_rip; /* EVENTINJ, 0 if there was none, and RIP of the last VMRUN */
	uint64_t machine_checks;      /* taken in L0, of hv/stack.h, when L0 last looked */
	bool gif;                     /* L1's */
	uint8_t tpr_carried; /* V_TPR as set when the real TPR went into VMCB01 or VMCB02 */
	bool tpr_in_vmcb;    /* ... which it is while V_INTR_MASKING is L0's doing */
	bool nmi_blocked;    /* until L1's IRET */
	struct step step;    /* over that IRET, or of string I/O: nested.string_step */
};

#endif
