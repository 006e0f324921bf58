/*
 * INS and OUTS of L2's that exited though L1's map lets them pass. L0 does not perform them: the
 * processor does, one access in a single step, by L1's map as it is now: another processor of L2's
 * may have put another instruction there. Relies on svm/nested/nested.h.
 */
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/nested/nested.h"

#define CHANGED (CLEAN_I | CLEAN_IOPM | CLEAN_DRX | CLEAN_CR2)

/* Whatever would enter a handler of L2's exits: no frame there must have L0's TF. */
void nested_step_string(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	struct vmcb_save *save = &vcpu->vmcb->save;

	vcpu->nested.string_step = (struct string_step){
		.on = true,
		.l2_steps = save->rflags & RFLAGS_TF,
		.exceptions = control->intercepts[INTERCEPT_EXCEPTION],
		.misc1 = control->intercepts[INTERCEPT_MISC1],
		.iopm = control->iopm_base_pa,
		.dr6 = save->dr6 & (DR6_BS | DR6_B0_TO_B3),
	};
	control->intercepts[INTERCEPT_EXCEPTION] = ~0u;
	control->intercepts[INTERCEPT_MISC1] |= MISC1_INTR | MISC1_VINTR;
	control->iopm_base_pa = iopm_for_step(vcpu);
	control->clean &= ~CHANGED;
	control_edited(vcpu);
	save->rflags |= RFLAGS_TF;
	save->dr6 &= ~(uint64_t)(DR6_BS | DR6_B0_TO_B3);
}

/* Ends the step. Is the exit, unless it is a breakpoint's, only L0's own? */
static bool end_step(struct vcpu *vcpu, uint64_t code)
{
	struct string_step *step = &vcpu->nested.string_step;
	struct vmcb_control *control = &vcpu->vmcb->control;
	struct vmcb_save *save = &vcpu->vmcb->save;
	bool own = code == VMEXIT_EXCP_BASE + VEC_DB && !step->l2_steps;

	step->on = false;
	control->intercepts[INTERCEPT_EXCEPTION] = step->exceptions;
	control->intercepts[INTERCEPT_MISC1] = step->misc1;
	control->iopm_base_pa = step->iopm;
	nested_maps_renew(vcpu);
	control->clean &= ~CHANGED;
	if (!step->l2_steps) {
		save->rflags &= ~(uint64_t)RFLAGS_TF;
		save->dr6 &= ~(uint64_t)DR6_BS;
	}
	own &= !(save->dr6 & DR6_B0_TO_B3);
	save->dr6 |= step->dr6;
	return own;
}

bool nested_string_stepped(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	uint64_t code = control->exit_code, vector = code - VMEXIT_EXCP_BASE;

	if (end_step(vcpu, code))
		return true;
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
