/*
 * STRICT builds check each VMCB against the processor manual before it runs: emulators do not.
 * Relies on svm/vcpu.h.
 */
#ifndef SVM_STRICT_H
#define SVM_STRICT_H

#include "svm/vcpu.h"

/* Panics, with the rule that fails. Nothing in other builds. */
#if STRICT
void strict_check(const struct vcpu *vcpu);
#else
static inline void strict_check(const struct vcpu *vcpu)
{
	(void)vcpu;
}
#endif

#endif
