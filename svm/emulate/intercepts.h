/*
 * What L0 intercepts of any guest. Relies on svm/vcpu.h.
 */
#ifndef SVM_EMULATE_INTERCEPTS_H
#define SVM_EMULATE_INTERCEPTS_H

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

/*
 * The processor's EFER.SVME is 1 even while L1's is 0: it then raises #GP at CPL 3 for what has to
 * be #UD (APM vol. 3, VMRUN); and VMLOAD and VMSAVE exit until they are found to be L1's. To be
 * called when L1's EFER or VMCB01's intercepts were set.
 */
void watch_gp(struct vcpu *vcpu);

#endif
