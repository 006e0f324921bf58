/*
 * Instructions that L0 performs for a guest: CPUID, RDMSR and WRMSR. For L2 when L1 does not
 * intercept them: L2 then sees what L1 would. Relies on svm/vcpu.h.
 */
#ifndef SVM_EMULATE_EMULATE_H
#define SVM_EMULATE_EMULATE_H

#include "svm/vcpu.h"

void emulate_cpuid(struct vcpu *vcpu);
void emulate_msr(struct vcpu *vcpu);

/* Fills MSRPM01: what L0 virtualizes or does not know. */
void msr_init_map(struct vcpu *vcpu);

/* Sets the bit of MSRPM01 for WRMSR to a register. */
void msr_intercept_write(struct vcpu *vcpu, uint32_t msr);

/*
 * On TCG a #VMEXIT hangs while EFER.LME=1, CR0.PG=0 and CR4.PAE=0: LME is held back from such a
 * VMCB, and L0 watches CR4 until it can be given. Returns whether it had to; never elsewhere.
 */
bool hold_back_lme(struct vmcb *vmcb);

/* CR4 was written while LME is held back. */
void give_lme(struct vcpu *vcpu);

/* The EFER that the guest believes it has, without SVME. */
uint64_t guest_efer(const struct vcpu *vcpu);

#endif
