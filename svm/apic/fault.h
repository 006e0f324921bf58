/*
 * Faults on the tables that L0 makes, and on pages that guests only read. Relies on svm/vcpu.h.
 */
#ifndef SVM_APIC_FAULT_H
#define SVM_APIC_FAULT_H

#include "svm/vcpu.h"

/* #VMEXIT(NPF) of a guest that runs on NPT01. */
void direct_fault(struct vcpu *vcpu);

/*
 * Gives a fault of the guest in use, on these tables, to mmu/. True: the tables deny the access, as
 * fault->code says. Else the fault is dealt with.
 */
bool tables_deny(struct vcpu *vcpu, const struct guest_tables *tables, struct page_fault *fault);

#endif
