/*
 * L0's intercepts in a VMCB. Relies on svm/shadowed/paging.h for those that npt=off needs.
 */
#include "svm/emulate/intercepts.h"
#include "hv/x86.h"
#include "svm/emulate/ports.h"
#include "svm/features.h"
#include "svm/shadowed/paging.h"

void intercept_for_l0(struct vmcb_control *control)
{
	control->intercepts[INTERCEPT_EXCEPTION] |= L0_EXCEPTIONS;
	control->intercepts[INTERCEPT_MISC1] |= L0_MISC1 | ports_intercepts();
	control->intercepts[INTERCEPT_MISC2] |= L0_MISC2;
	if (features.watch_cr4)
		control->intercepts[INTERCEPT_CR] |= 1u << VMEXIT_CR4_WRITE;
	if (features.watch_xcr0)
		control->intercepts[INTERCEPT_MISC2] |= MISC2_XSETBV;
	if (!features.npt)
		shadowed_intercept(control);
}

void watch_gp(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb01->control;

	if (vcpu->efer & EFER_SVME)
		control->intercepts[INTERCEPT_EXCEPTION] &= ~(1u << VEC_GP);
	else
		control->intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_GP;
	control->intercepts[INTERCEPT_MISC2] |= MISC2_VMLOAD | MISC2_VMSAVE;
	control->virt_ext = 0;
	control->clean &= ~(CLEAN_I | CLEAN_LBR);
}
