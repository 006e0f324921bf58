/*
 * Instructions that L0 performs for a guest: CPUID, RDMSR and WRMSR. For L2 when L1 does not
 * intercept them: L2 then sees what L1 would. Relies on svm/vcpu.h.
 */
#ifndef SVM_EMULATE_EMULATE_H
#define SVM_EMULATE_EMULATE_H

#include "svm/vcpu.h"

void emulate_cpuid(struct vcpu *vcpu);

/* How many Nestlings there are below the guest, with this one: an outer one's leaf says so. */
uint32_t nestling_depth(void);

void emulate_msr(struct vcpu *vcpu);

/* Fills MSRPM01: what L0 virtualizes or does not know. */
void msr_init_map(struct vcpu *vcpu);

/* Sets the bit of MSRPM01 for WRMSR to a register. */
void msr_intercept_write(struct vcpu *vcpu, uint32_t msr);

/* ... and for RDMSR. */
void msr_intercept_both(struct vcpu *vcpu, uint32_t msr);

#endif
