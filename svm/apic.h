/*
 * The local APIC, which is L1's, but for INIT and SIPI: these start and stop processors that L0
 * needs, so L0 performs them. With one processor L1 has its APIC for itself. Relies on
 * svm/processors.h. APM vol. 2, chapter 16.
 *
 * In xAPIC mode the page of registers is read-only for guests (mmu/: FAULT_READ_ONLY), and L0
 * performs each store on the real APIC; in x2APIC mode WRMSR to ICR exits.
 */
#ifndef SVM_APIC_H
#define SVM_APIC_H

#include "svm/vcpu.h"

#define MSR_X2APIC_ICR 0x830u

/*
 * Reads this processor's APIC, for its vcpu, and has MSRPM01 intercept what is L0's. To be called
 * when all processors have been added and before this one runs its guest.
 */
void apic_init(struct vcpu *vcpu);

/* The vcpu's INIT has put its real APIC into the state after INIT; called on its processor. */
void apic_was_reset(struct vcpu *vcpu);

/* Has L0 to see what L1 writes to its APICs? */
bool apic_is_shared(void);

/* Is some processor's page of registers, kept from L1, in [gpa, gpa + size)? mmu's lock is held. */
bool apic_covers(uint64_t gpa, uint64_t size);

/*
 * The guest in use may write memory at gpa, for all that L1's tables say, and has exited there:
 * performs the store if that is an APIC's page. False: it is none.
 */
bool apic_npf(struct vcpu *vcpu, uint64_t gpa);

/* APIC_BASE as L1 sees it, and L1's WRMSR: false raises #GP. mmu's lock is held for the latter. */
uint64_t apic_read_base(struct vcpu *vcpu);
bool apic_write_base(struct vcpu *vcpu, uint64_t value);

/* L1's WRMSR to ICR in x2APIC mode. False raises #GP. */
bool x2apic_write_icr(struct vcpu *vcpu, uint64_t value);

#endif
