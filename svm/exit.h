/*
 * What L0 does at a #VMEXIT that is its own to handle. Relies on svm/vcpu.h.
 */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "svm/vcpu.h"

/*
 * Exceptions whose delivery can raise them again without end, inside the processor, where not even
 * an NMI gets in (CVE-2015-5307, CVE-2015-8104): each one comes by here. #MC waits for L1's GIF.
 */
#define L0_EXCEPTIONS (1u << VEC_DB | 1u << VEC_AC | 1u << VEC_MC)

/* The other intercepts of L0's, of L1 and of L2 whatever L1 does. */
#define L0_MISC1                                                                                   \
	(MISC1_NMI | MISC1_SMI | MISC1_INIT | MISC1_CPUID | MISC1_INVD | MISC1_INVLPGA |           \
	 MISC1_MSR_PROT | MISC1_SHUTDOWN)
#define L0_MISC2                                                                                   \
	(MISC2_VMRUN | MISC2_VMLOAD | MISC2_VMSAVE | MISC2_STGI | MISC2_CLGI | MISC2_SKINIT |      \
	 MISC2_ICEBP)

/* Sets these in a VMCB, and what else this machine takes. */
void intercept_for_l0(struct vmcb_control *control);

/* #VMEXIT(NPF) of a guest that runs on NPT01. */
void direct_fault(struct vcpu *vcpu);

/*
 * Gives a fault of the guest in use, on these tables, to mmu/. True: the tables deny the access, as
 * fault->code says. Else the fault is dealt with.
 */
bool tables_deny(struct vcpu *vcpu, const struct guest_tables *tables, struct page_fault *fault);

/* Handles the exit of the VMCB in use on L1's behalf, whether L1 or L2 ran. */
void handle_exit(struct vcpu *vcpu, uint64_t code);

/*
 * svm/settle.c: acts on the outcome that the exit's handler left, and on what else is due. To be
 * called once between two runs of guests, where vcpu->due says so.
 */
void settle(struct vcpu *vcpu);

/* svm/nested/instructions.c: L1's SVM instructions, and L2's that L1 does not intercept. */
void handle_vmrun(struct vcpu *vcpu);
void handle_vmload(struct vcpu *vcpu);
void handle_vmsave(struct vcpu *vcpu);
void handle_stgi(struct vcpu *vcpu);
void handle_clgi(struct vcpu *vcpu);
void handle_skinit(struct vcpu *vcpu);
void handle_invlpga(struct vcpu *vcpu);

/*
 * The processor's EFER.SVME is 1 even while L1's is 0: it then raises #GP at CPL 3 for what has to
 * be #UD (APM vol. 3, VMRUN); and VMLOAD and VMSAVE exit until they are found to be L1's. To be
 * called when L1's EFER or VMCB01's intercepts were set.
 */
void watch_gp(struct vcpu *vcpu);
void handle_gp(struct vcpu *vcpu);

/* report.c: what a panic, or a shutdown before the reset, says of the guest. */
void report_guest(void);

#endif
