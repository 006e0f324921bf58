/*
 * L1's global interrupt flag and NMIs. L1's interrupts are physical ones: they are held back by
 * V_INTR_MASKING with the host's IF at 0, and stay pending in the APIC. Relies on
 * svm/event/event.h.
 */
#include "hv/apic.h"
#include "hv/stack.h"
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/quirks/quirks.h"
#include "svm/cpus/processors.h"

/* The real TPR may be L0's (svm/quirks/vector0.c). Calls that come last cost nobody a register. */
static __attribute__((noinline, cold)) void carry_own_in(struct vcpu *vcpu,
                                                         struct vmcb_control *control)
{
	vcpu->event.tpr_carried = quirk_read_tpr(vcpu) >> TPR_CLASS_SHIFT;
	vcpu->event.tpr_in_vmcb = true;
	control->int_ctl &= ~INT_CTL_V_TPR_MASK;
	control->int_ctl |= vcpu->event.tpr_carried;
}

static __attribute__((noinline, cold)) void carry_changed_out(struct vcpu *vcpu, uint64_t cr8)
{
	if (features.vector0)
		quirk_write_tpr(vcpu, (uint8_t)(cr8 << TPR_CLASS_SHIFT));
	else
		write_cr8(cr8);
}

/*
 * While V_INTR_MASKING is L0's doing, CR8 is V_TPR: the real value goes in, and comes out again
 * if the guest changed it. (A guest may write the real TPR by MMIO meanwhile.)
 */
static inline void carry_tpr_in(struct vcpu *vcpu, struct vmcb_control *control)
{
	uint64_t cr8;

	if (vcpu->event.tpr_in_vmcb)
		return;
	if (__builtin_expect(features.vector0, false)) {
		carry_own_in(vcpu, control);
		return;
	}
	vcpu->event.tpr_in_vmcb = true;
	cr8 = read_cr8();
	vcpu->event.tpr_carried = (uint8_t)cr8;
	control->int_ctl = (control->int_ctl & ~INT_CTL_V_TPR_MASK) | cr8;
}

static inline void carry_tpr_out(struct vcpu *vcpu, const struct vmcb_control *control)
{
	if (!vcpu->event.tpr_in_vmcb)
		return;
	vcpu->event.tpr_in_vmcb = false;
	if ((control->int_ctl & INT_CTL_V_TPR) != vcpu->event.tpr_carried)
		carry_changed_out(vcpu, control->int_ctl & INT_CTL_V_TPR);
}

static bool masking_by_l1(const struct vcpu *vcpu)
{
	return vcpu->guest_mode && (vcpu->nested.ctl.int_ctl & INT_CTL_V_INTR_MASKING);
}

/* GIF is 0: nothing comes. */
static inline void close_gate(struct vcpu *vcpu, struct vmcb_control *control, bool by_l1)
{
	control->int_ctl |= INT_CTL_V_INTR_MASKING;
	control->clean &= ~CLEAN_TPR;
	vcpu->host_flags = RFLAGS_FIXED;
	if (!by_l1)
		carry_tpr_in(vcpu, control);
}

/* GIF is 1; the TPR that this VMCB has is L1's again. */
static inline void open_gate(struct vcpu *vcpu, struct vmcb_control *control,
                             const struct vmcb_control *with_tpr)
{
	uint64_t flags = RFLAGS_FIXED;

	if (masking_by_l1(vcpu)) {
		flags |= vcpu->vmcb01->save.rflags & RFLAGS_IF;
		control->int_ctl |= INT_CTL_V_INTR_MASKING;
	} else {
		control->int_ctl &= ~INT_CTL_V_INTR_MASKING;
	}
	control->clean &= ~CLEAN_TPR;
	vcpu->host_flags = flags;
	carry_tpr_out(vcpu, with_tpr);
}

void update_interrupt_gate(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;

	if (vcpu->event.gif)
		open_gate(vcpu, control, control);
	else
		close_gate(vcpu, control, masking_by_l1(vcpu));
}

void gate_to_l2(struct vcpu *vcpu)
{
	open_gate(vcpu, &vcpu->vmcb02->control, &vcpu->vmcb01->control);
}

void gate_to_l1(struct vcpu *vcpu)
{
	vcpu->event.gif = false;
	close_gate(vcpu, &vcpu->vmcb01->control, false);
}

void set_gif(struct vcpu *vcpu, bool gif)
{
	if (vcpu->event.gif == gif)
		return;
	vcpu->event.gif = gif;
	update_interrupt_gate(vcpu);
}

/*
 * GIF=1 for two instructions, IF=0: what is pending goes to L0's handlers, which count it, and an
 * SMI to the firmware's. An INIT comes as #SX, since VM_CR.R_INIT is 1 (APM vol. 2, section 15.28),
 * and becomes one of L1's. Returns the number of NMIs, those before the first VMRUN included.
 */
static uint64_t open_window(struct vcpu *vcpu)
{
	volatile struct stack_base *taken = stack_base();
	uint64_t nmis;

	open_gif_window();
	if (taken->inits)
		vcpu->event.due.init = true;
	look_for_machine_checks(vcpu);
	nmis = taken->nmis;
	taken->nmis = taken->inits = 0; /* GIF is 0: none comes in between */
	return nmis;
}

bool take_signals(struct vcpu *vcpu)
{
	uint64_t taken = open_window(vcpu);

	if (!taken)
		return false;
	if (!vcpu_was_kicked(vcpu))
		return true;
	vcpu->counters.kicked++;
	return taken > 1 || nmi_may_be_l1s(vcpu);
}

/*
 * An intercepted SMI stays pending until GIF is 1, and the firmware's handler then runs in L0's
 * place. Not so an internal one, which is gone: the APIC sends another (APM vol. 2, 15.22.2).
 */
bool take_exit_signal(struct vcpu *vcpu, const struct vmcb_control *control)
{
	if (control->exit_code == VMEXIT_SMI && (control->exit_info1 & SMI_INTERNAL))
		vcpu_smi(vcpu);
	return take_signals(vcpu);
}

void handle_signal(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	vcpu->counters.nmis += control->exit_code == VMEXIT_NMI;
	if (take_exit_signal(vcpu, control))
		vcpu->event.due.nmi = true;
}

/*
 * The processor does not know that an injected NMI's handler runs: L0 holds the next one back until
 * IRET, which it intercepts. The NMI before that IRET is done would find the handler's own frame on
 * the stack, so the IRET is stepped over.
 */
void watch_iret(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;

	control->intercepts[INTERCEPT_MISC1] |= MISC1_IRET;
	control->clean &= ~CLEAN_I;
	control_edited(vcpu);
}

bool iret_leaves_unseen(const struct vmcb_save *save)
{
	return (save->rflags & (RFLAGS_NT | RFLAGS_VM)) == RFLAGS_NT && (save->cr0 & CR0_PE) &&
	       !in_long_mode(save) && (features.npt || quirk_task_switches_unseen());
}

void handle_iret(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;

	vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_IRET;
	vmcb->control.clean &= ~CLEAN_I;
	control_edited(vcpu);
	if (!vcpu->event.nmi_blocked)
		return;
	if (iret_leaves_unseen(&vmcb->save)) {
		vcpu->event.nmi_blocked = false;
		return;
	}
	step_begin(vcpu);
}

bool iret_stepped(struct vcpu *vcpu)
{
	enum step_end end = step_end(vcpu, true);

	if (end == STEP_CUT_SHORT) { /* by a fault of it, maybe: the next IRET may be another */
		watch_iret(vcpu);
		return step_was_all(vcpu);
	}
	vcpu->event.nmi_blocked = false;
	return end == STEP_DONE;
}
