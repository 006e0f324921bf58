/*
 * STRICT builds check each VMCB against the processor manual before it runs: emulators do not.
 * Relies on svm/vcpu.h.
 */
#ifndef SVM_STRICT_H
#define SVM_STRICT_H

#include "svm/vcpu.h"

#if STRICT
/* The VMCB in use is about to run. Panics, with the rule that fails. */
void strict_check(const struct vcpu *vcpu);

/* VMCB02 was not built in full: it must be what a full build makes, and pass all checks. */
void strict_check_again(struct vcpu *vcpu);

/* It has run: the processor may have all of it cached as it is now. */
void strict_ran(struct vcpu *vcpu);

/* The processor says that the instruction has this length. */
void strict_check_length(struct vcpu *vcpu, unsigned int length);
#else
static inline void strict_check(const struct vcpu *vcpu)
{
	(void)vcpu;
}

static inline void strict_check_again(struct vcpu *vcpu)
{
	(void)vcpu;
}

static inline void strict_ran(struct vcpu *vcpu)
{
	(void)vcpu;
}

static inline void strict_check_length(struct vcpu *vcpu, unsigned int length)
{
	(void)vcpu;
	(void)length;
}
#endif

#endif
