/*
 * The local APIC, which is L1's, but for INIT and SIPI: these start and stop processors that L0
 * needs, so L0 performs them, for processors that it knows: none runs beside it. Relies on
 * svm/cpus/processors.h. APM vol. 2, chapter 16.
 *
 * In xAPIC mode the page of registers is read-only for guests (mmu/: FAULT_READ_ONLY), and L0
 * performs each store on the real APIC; in x2APIC mode WRMSR to ICR and to local vectors exits.
 */
#ifndef SVM_APIC_H
#define SVM_APIC_H

#include "svm/vcpu.h"

/*
 * Reads this processor's APIC, for its vcpu, and has MSRPM01 intercept what is L0's. To be called
 * when all processors have been added and before this one runs its guest.
 */
void apic_init(struct vcpu *vcpu);

/* Notes by what names other processors find this one. */
void apic_read_names(struct vcpu *vcpu);

/* On all processors: where features.vector0 is set L1's reads of the TPR by MSR are L0's, too. */
void apic_watch_tpr(struct vcpu *vcpu);

/* The vcpu's INIT has put its real APIC into the state after INIT; called on its processor. */
void apic_was_reset(struct vcpu *vcpu);

/*
 * Is a page that is kept from L1's stores in [gpa, gpa + size): some processor's page of registers,
 * or one of svm/apic/kept.h? mmu's lock is held.
 */
bool apic_covers(uint64_t gpa, uint64_t size);

/* The same for pages that are kept from L1's loads as well: those that show the TPR. */
bool apic_hides(uint64_t gpa, uint64_t size);

/*
 * The guest in use may access memory at gpa as it did, for all that L1's tables say, and has exited
 * there: performs the store or load if it is kept from that. False: it is not.
 */
bool apic_npf(struct vcpu *vcpu, uint64_t gpa);

/* APIC_BASE as L1 sees it, and L1's WRMSR: false raises #GP. mmu's lock is held for the latter. */
uint64_t apic_read_base(struct vcpu *vcpu);
bool apic_write_base(struct vcpu *vcpu, uint64_t value);

/*
 * L1's WRMSR to an MSR of the APIC's that apic_init() has had intercepted: ICR and local vectors.
 * False raises #GP.
 */
bool is_x2apic(uint32_t msr);
bool x2apic_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* L1's RDMSR of the TPR. False: it is the processor's to answer. */
bool x2apic_read_tpr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value);

#endif
