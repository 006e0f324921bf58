/*
 * #VMEXIT from L2 to L1: what the processor would write to VMCB12, and L1's state as it would come
 * back (AMD64 APM vol. 2, section 15.6). Relies on svm/nested/nested.h.
 */
#include "hv/exception.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/nested/nested.h"
#include "svm/shadowed/paging.h"
#include "svm/emulate/perf.h"
#include "svm/cpus/processors.h"

static void write_control(struct vcpu *vcpu, uint64_t code, uint64_t info1, uint64_t info2)
{
	const struct vmcb_control *from = &vcpu->vmcb02->control;
	struct vmcb_control *to = &vcpu->nested.vmcb12->control;
	uint64_t live = INT_CTL_V_TPR_MASK | INT_CTL_V_IRQ;

	if (vcpu->nested.ctl.int_ctl & INT_CTL_V_GIF_ENABLE)
		live |= INT_CTL_V_GIF;
	to->exit_int_info = 0;
	if (__builtin_expect(from->exit_int_info & EVENT_VALID, false))
		to->exit_int_info = interrupted_event(vcpu); /* before int_ctl: it may change it */
	to->int_ctl = (to->int_ctl & ~live) | (from->int_ctl & live);
	to->int_state = from->int_state;
	to->exit_code = code;
	to->exit_info1 = info1;
	to->exit_info2 = info2;
	to->event_inj = 0;
	if (is_shown(SVM_FEATURE_NRIP))
		to->next_rip = from->next_rip;
}

/* L1 as #VMEXIT brings it back. What it does not touch, CR2 and DR6, stays as L2 left it. */
static void restore_l1(struct vcpu *vcpu)
{
	struct vmcb *vmcb01 = vcpu->vmcb01;
	const struct vmcb_save *l2 = &vcpu->vmcb02->save;
	struct vmcb_save *l1 = &vmcb01->save;

	l1->cr2 = l2->cr2;
	l1->dr6 = l2->dr6;
	l1->dr7 = DR7_FIXED;
	l1->cr0 |= CR0_PE;
	l1->rflags &= ~(uint64_t)RFLAGS_VM;
	l1->cpl = 0;
	vmcb01->control.int_state = 0;
	vmcb01->control.event_inj = 0;
	vmcb01->control.clean &= ~(CLEAN_CR2 | CLEAN_DRX | CLEAN_CRX | CLEAN_SEG);
	if (!nested_npt_enabled(vcpu)) {
		l1->g_pat = l2->g_pat;
		vmcb01->control.clean &= ~CLEAN_NP;
	}
}

/*
 * AutoIBRS keeps less privileged code, and a host's guests, from steering its predictions. To the
 * processor L1 is a guest like L2: what L1 has turned on is kept by a barrier.
 */
static void keep_predictions_apart(const struct vcpu *vcpu)
{
	if (features.auto_ibrs && !features.untrain && (vcpu->vmcb01->save.efer & EFER_AIBRSE))
		wrmsr_safe(MSR_PRED_CMD, PRED_CMD_IBPB);
}

void nested_exit(struct vcpu *vcpu, uint64_t code, uint64_t info1, uint64_t info2)
{
	vcpu->counters.reflected++;
	if (!vcpu->event.gif) { /* L2's CLGI: take the TPR out of VMCB02 */
		vcpu->event.gif = true;
		update_interrupt_gate(vcpu);
	}
	/* A VMRUN that was over before the processor saw it: what it was to flush is still to be.
	 */
	if (vcpu->vmcb02->control.tlb_control != TLB_CONTROL_NONE)
		vcpu->cpu.flush = true; /* P16 */
	nested_give_state(&vcpu->nested.vmcb12->save, &vcpu->vmcb02->save,
	                  nested_npt_enabled(vcpu));
	if (vcpu->quirks.l2_lme_held)
		vcpu->nested.vmcb12->save.efer |= EFER_LME;
	write_control(vcpu, code, info1, info2);
	if (features.extensions)
		nested_exit_extensions(vcpu, code);
	l1_written(vcpu->nested.slot->gpa);
	restore_l1(vcpu);
	keep_predictions_apart(vcpu);
	vcpu->guest_mode = false;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	gate_to_l1(vcpu);
	if (vcpu->perf.split)
		perf_switch(vcpu);
	if (vcpu->event.nmi_blocked)
		watch_iret(vcpu);
	/* #VMEXIT loads CR3, and a bad PDPTE shuts the host down; APM vol. 2, section 15.6. */
	if (!features.npt && !load_pdptes(vcpu, PAGING_OF_L1, &vcpu->vmcb01->save))
		shut_down(vcpu);
	else
		trap_step(vcpu); /* the single step over VMRUN; APM 15.5 */
}
