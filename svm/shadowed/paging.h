/*
 * L1's own paging where there is no nested paging (npt=off), and that of L2s: their CR0, CR3, CR4
 * and EFER are what L0 remembers, and the processor runs with a shadow's. Relies on mmu/mmu.h.
 */
#ifndef SVM_SHADOWED_PAGING_H
#define SVM_SHADOWED_PAGING_H

#include "svm/vcpu.h"

/*
 * Around the world switch: what the guest believes to have leaves the VMCB, and what the processor
 * needs is put there; then back. All other code of L0 sees the guest's values.
 */
void shadowed_enter(struct vcpu *vcpu);
void shadowed_exit(struct vcpu *vcpu);

/* L0's intercepts for that, besides those for all guests. */
void shadowed_intercept(struct vmcb_control *control);

/* #VMEXIT(#PF), #VMEXIT(INVLPG), #VMEXIT(INVPCID). */
void handle_page_fault(struct vcpu *vcpu);
void handle_invpcid(struct vcpu *vcpu);
void handle_invlpg(struct vcpu *vcpu);

/* With the next function: not the guest's own, but the processor's for itself, at any CPL. */
#define ACCESS_IMPLICIT (1u << 31)

/*
 * The gpa of one byte of the guest's for an access (ACCESS_WRITE, ACCESS_IMPLICIT). False: it has
 * raised the fault that the guest's tables ask for; or they are changing, and it raised nothing.
 */
bool translate_linear(struct vcpu *vcpu, uint64_t linear, uint32_t access, uint64_t *gpa);

/*
 * What the guest in use changed of its paging registers, or their writing, flushes its TLB: its
 * tables count as they are now, and the processor forgets.
 */
void shadowed_flush(struct vcpu *vcpu);

/* Whose paging. */
enum { PAGING_OF_L1, PAGING_OF_L2 };

/*
 * Where these registers mean PAE paging, loads the PDPTEs (APM vol. 2, section 5.2.3). False: one
 * of them has a reserved bit, and nothing changed.
 */
bool load_pdptes(struct vcpu *vcpu, unsigned int owner, const struct vmcb_save *save);

/* VMRUN, with the guest's state in VMCB02, not yet in use. False: its PDPTEs are bad. */
bool shadowed_begin_l2(struct vcpu *vcpu);

#endif
