/*
 * INS and OUTS of L2's that exited though L1's map lets them pass. L0 does not perform them: the
 * processor does, one access in a single step, by L1's map as it is now: another processor of L2's
 * may have put another instruction there. Relies on svm/nested/nested.h.
 */
#include "svm/event/event.h"
#include "svm/nested/nested.h"

void nested_step_string(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;

	vcpu->nested.string_step = (struct string_step){.on = true, .iopm = control->iopm_base_pa};
	step_begin(vcpu);
	control->iopm_base_pa = iopm_for_step(vcpu);
	control->clean &= ~CLEAN_IOPM;
}

bool nested_string_stepped(struct vcpu *vcpu)
{
	enum step_end end = step_end(vcpu, false);

	vcpu->nested.string_step.on = false;
	vcpu->vmcb->control.iopm_base_pa = vcpu->nested.string_step.iopm;
	nested_maps_renew(vcpu);
	return end == STEP_CUT_SHORT ? step_was_all(vcpu) : end == STEP_DONE;
}
