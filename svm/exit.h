/*
 * What L0 does at a #VMEXIT that is its own to handle. Relies on svm/vcpu.h.
 */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "svm/vcpu.h"

/* Handles the exit of the VMCB in use, and counts it; one of L2's may be L1's: decided here. */
void handle_exit(struct vcpu *vcpu);

/*
 * svm/settle.c: acts on the outcome that the exit's handler left, and on what else is due. To be
 * called once between two runs of guests, where vcpu->event.due says so.
 */
void settle(struct vcpu *vcpu);

#endif
