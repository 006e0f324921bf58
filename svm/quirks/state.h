/*
 * What a vcpu has for the sake of emulators.
 * Relies on svm/vmcb.h.
 */
#ifndef SVM_QUIRKS_STATE_H
#define SVM_QUIRKS_STATE_H

#include <stdbool.h>

#include "svm/vmcb.h"

struct quirks {
	bool l2_lme_held;                    /* see quirk_hold_back_lme() */
	struct vmcb *without_busy;           /* see quirk_hide_busy_tss() */
	struct vmcb_segment hidden_busy_tss; /* what it has hidden */
	bool tpr_held;                       /* see quirk_hold_interrupts() */
	uint8_t tpr;                         /* L1's own, meanwhile */
};

#endif
