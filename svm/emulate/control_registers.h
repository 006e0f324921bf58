/*
 * The control registers that decide of paging, as guests write and read them. Relies on svm/vcpu.h.
 */
#ifndef SVM_EMULATE_CONTROL_REGISTERS_H
#define SVM_EMULATE_CONTROL_REGISTERS_H

#include "svm/vcpu.h"

/* #VMEXIT for MOV to and from CR0, CR3 and CR4, LMSW, SMSW and CLTS. */
void handle_cr_write(struct vcpu *vcpu);
void handle_cr_read(struct vcpu *vcpu);

/* #VMEXIT(XSETBV): the states that CPUID shows (features.watch_xcr0). */
void handle_xsetbv(struct vcpu *vcpu);

/*
 * QEMU's own emulation exits as if VMRUN had failed when a guest moves what is reserved to CR3 or
 * CR4. True: it was that, and is #GP now.
 */
bool refused_cr_write(struct vcpu *vcpu);

#endif
