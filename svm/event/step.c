/*
 * One instruction of the guest's under a TF of L0's, and nothing else: whatever would enter a
 * handler of the guest's exits instead, as no frame there may hold L0's TF. Relies on
 * svm/event/event.h.
 */
#include "hv/x86.h"
#include "svm/event/event.h"

#define CHANGED     (CLEAN_I | CLEAN_DRX | CLEAN_CR2)
#define DR6_OF_STEP ((uint64_t)(DR6_BS | DR6_B0_TO_B3))

void step_begin(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	struct vmcb_save *save = &vcpu->vmcb->save;

	vcpu->event.step = (struct step){
		.on = true,
		.guests = save->rflags & RFLAGS_TF,
		.exceptions = control->intercepts[INTERCEPT_EXCEPTION],
		.misc1 = control->intercepts[INTERCEPT_MISC1],
		.dr6 = save->dr6 & DR6_OF_STEP,
	};
	control->intercepts[INTERCEPT_EXCEPTION] = ~0u;
	control->intercepts[INTERCEPT_MISC1] |= MISC1_INTR | MISC1_VINTR;
	control->clean &= ~CHANGED;
	control_edited(vcpu);
	save->rflags |= RFLAGS_TF;
	save->dr6 &= ~DR6_OF_STEP;
}

enum step_end step_end(struct vcpu *vcpu, bool loads_rflags)
{
	struct step *step = &vcpu->event.step;
	struct vmcb_control *control = &vcpu->vmcb->control;
	struct vmcb_save *save = &vcpu->vmcb->save;
	bool breakpoint = save->dr6 & DR6_B0_TO_B3;
	/* A breakpoint on the instruction itself comes before it. */
	bool done = control->exit_code == VMEXIT_EXCP_BASE + VEC_DB &&
	            (!breakpoint || (save->dr6 & DR6_BS));

	step->on = false;
	control->intercepts[INTERCEPT_EXCEPTION] = step->exceptions;
	control->intercepts[INTERCEPT_MISC1] = step->misc1;
	control->clean &= ~CHANGED;
	control_edited(vcpu);
	if (!step->guests) {
		save->dr6 &= ~(uint64_t)DR6_BS;
		if (!done || !loads_rflags)
			save->rflags &= ~(uint64_t)RFLAGS_TF;
	}
	save->dr6 |= step->dr6;
	if (!done)
		return STEP_CUT_SHORT;
	return step->guests || breakpoint ? STEP_TRAPS : STEP_DONE;
}

bool step_was_all(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	uint64_t code = control->exit_code, vector = code - VMEXIT_EXCP_BASE;

	if (code == VMEXIT_INTR || code == VMEXIT_VINTR)
		return !(control->intercepts[INTERCEPT_MISC1] & 1u << code % 32);
	if (vector > 31 || (control->intercepts[INTERCEPT_EXCEPTION] >> vector & 1))
		return false;
	if (vector == VEC_PF)
		raise_page_fault(vcpu, low32(control->exit_info1), control->exit_info2);
	else
		raise_fault(vcpu, (unsigned int)vector, low32(control->exit_info1));
	return true;
}
