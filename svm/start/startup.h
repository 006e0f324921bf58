/*
 * INIT, the wait for SIPI, and SIPI. Relies on svm/cpus/processors.h for who asks.
 */
#ifndef SVM_START_STARTUP_H
#define SVM_START_STARTUP_H

#include "svm/vcpu.h"

/* What stands in vcpu.startup: changed by atomic operations only. */
enum {
	STARTUP_INIT = 1 << 0,    /* an INIT is to be taken */
	STARTUP_SIPI = 1 << 1,    /* a SIPI came, behind the INIT if there is one */
	STARTUP_WAITING = 1 << 2, /* the processor waits for SIPI */
	STARTUP_STOP = 1 << 3,    /* another processor panics */
	STARTUP_NMI = 1 << 4,     /* an NMI is to be taken, once it does not wait any more */
	STARTUP_VECTOR_SHIFT = 8,
};

/*
 * Does what vcpu.startup says, and comes back when the guest may run. A waiting processor is in a
 * guest that halts meanwhile: in L0, with GIF=0, nothing would wake it.
 */
void startup_attend(struct vcpu *vcpu);

/* Makes the guest in which a processor waits. */
void startup_init_halt(struct vcpu *vcpu);

#endif
