/*
 * INIT, the wait for SIPI, and SIPI. Relies on svm/cpus/processors.h for who asks.
 */
#ifndef SVM_START_STARTUP_H
#define SVM_START_STARTUP_H

#include "svm/vcpu.h"

/*
 * Does what vcpu.cpu.startup says, and comes back when the guest may run. A waiting processor is in
 * a guest that halts meanwhile: in L0, with GIF=0, nothing would wake it.
 */
void startup_attend(struct vcpu *vcpu);

/* Makes the guest in which a processor waits. */
void startup_init_halt(struct vcpu *vcpu);

#endif
