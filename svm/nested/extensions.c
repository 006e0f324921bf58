/*
 * What some processors do besides for a guest, as L1 may use it for L2: the registers that VMRUN
 * and #VMEXIT move with an extension, and what #VMEXIT tells with decode assists. On other
 * processors nothing here runs (features.extensions). Relies on svm/nested/nested.h.
 */
#include "svm/features.h"
#include "svm/nested/nested.h"

/* Records of branches; APM vol. 2, section 15.23. */
static void copy_lbr(struct vmcb_save *to, const volatile struct vmcb_save *from)
{
	to->dbgctl = from->dbgctl;
	to->br_from = from->br_from;
	to->br_to = from->br_to;
	to->last_excp_from = from->last_excp_from;
	to->last_excp_to = from->last_excp_to;
}

/* Shadow stacks; APM vol. 2, section 18.13. */
static void copy_shadow_stack(struct vmcb_save *to, const volatile struct vmcb_save *from)
{
	to->s_cet = from->s_cet;
	to->ssp = from->ssp;
	to->isst_addr = from->isst_addr;
}

void nested_enter_extensions(struct vcpu *vcpu)
{
	struct vmcb *vmcb02 = vcpu->vmcb02;

	if (is_shown(SVM_FEATURE_LBR) && (vcpu->nested.ctl.virt_ext & VIRT_EXT_LBR)) {
		vmcb02->control.virt_ext = VIRT_EXT_LBR;
		vmcb02->control.clean &= ~CLEAN_LBR;
		copy_lbr(&vmcb02->save, &vcpu->nested.vmcb12->save);
	}
	if (features.cr4_valid & CR4_CET)
		copy_shadow_stack(&vmcb02->save, &vcpu->nested.vmcb12->save);
	/* L1 is not told that VMRUN moves it: it is one register to L1 and its L2s. */
	if (has(SVM_FEATURE_SPEC_CTRL))
		vmcb02->save.spec_ctrl = vcpu->vmcb01->save.spec_ctrl;
}

/* The bytes that the processor fetched belong to its own exit; APM vol. 2, section 15.8.4. */
static void copy_fetched(struct vcpu *vcpu, uint64_t code)
{
	const struct vmcb_control *from = &vcpu->vmcb02->control;
	struct vmcb_control *to = &vcpu->nested.vmcb12->control;

	to->fetched_bytes = code == from->exit_code ? from->fetched_bytes : 0;
	for (unsigned int i = 0; i < sizeof(to->fetched); i++)
		to->fetched[i] = from->fetched[i];
}

void nested_exit_extensions(struct vcpu *vcpu, uint64_t code)
{
	struct vmcb *vmcb02 = vcpu->vmcb02;

	if (vmcb02->control.virt_ext & VIRT_EXT_LBR)
		copy_lbr(&vcpu->nested.vmcb12->save, &vmcb02->save);
	if (features.cr4_valid & CR4_CET)
		copy_shadow_stack(&vcpu->nested.vmcb12->save, &vmcb02->save);
	if (has(SVM_FEATURE_SPEC_CTRL))
		vcpu->vmcb01->save.spec_ctrl = vmcb02->save.spec_ctrl;
	if (is_shown(SVM_FEATURE_DECODE))
		copy_fetched(vcpu, code);
}
