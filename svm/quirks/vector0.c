/*
 * KVM before Linux 6.4 gives a guest the vector 0 when it runs with V_INTR_MASKING=1 and the host's
 * IF=0, which hold interrupts back, and one is pending: nothing is pending while the real TPR is
 * F0h. Relies on hv/apic.h for the APIC. docs/hypervisors.md.
 */
#include "hv/apic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/x86.h"
#include "svm/quirks/quirks.h"

enum {
	TPR_ALL = 0xf0, /* holds back all vectors; APM vol. 2, section 16.6.4 */

	/* The probe's interrupt, before all others in priority, and where the APIC tells of it. */
	PROBE_VECTOR = 0xff,
	PROBE_BIT_AT = PROBE_VECTOR / 32 * APIC_STEP,
	PROBE_TRIES = 16,
};
#define PROBE_BIT (1u << PROBE_VECTOR % 32)

uint8_t quirk_read_tpr(const struct vcpu *vcpu)
{
	uint32_t in_vmcb = vcpu->vmcb->control.int_ctl & INT_CTL_V_TPR;

	if (vcpu->event.tpr_in_vmcb && in_vmcb != vcpu->event.tpr_carried) /* by CR8 */
		return (uint8_t)(in_vmcb << TPR_CLASS_SHIFT);
	if (vcpu->quirks.tpr_held)
		return vcpu->quirks.tpr;
	return (uint8_t)apic_read(vcpu->apic.page, APIC_TPR);
}

void quirk_write_tpr(struct vcpu *vcpu, uint8_t value)
{
	struct vmcb_control *control = &vcpu->vmcb->control;

	if (vcpu->event.tpr_in_vmcb) {
		vcpu->event.tpr_carried = value >> TPR_CLASS_SHIFT;
		control->int_ctl &= ~INT_CTL_V_TPR_MASK;
		control->int_ctl |= vcpu->event.tpr_carried;
		control->clean &= ~CLEAN_TPR;
	}
	if (vcpu->quirks.tpr_held)
		vcpu->quirks.tpr = value;
	else
		apic_write(vcpu->apic.page, APIC_TPR, value);
}

void quirk_hold_interrupts(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	bool masked =
		(control->int_ctl & INT_CTL_V_INTR_MASKING) && !(vcpu->host_flags & RFLAGS_IF);
	bool l1s = vcpu->guest_mode && (vcpu->nested.ctl.int_ctl & INT_CTL_V_IRQ);

	/* What an 8259 has sent leaves this behind, which would come again and again. */
	if ((control->int_ctl & INT_CTL_V_IRQ) && !l1s) {
		control->int_ctl &= ~INT_CTL_V_IRQ;
		control->clean &= ~CLEAN_TPR;
	}
	if (masked == vcpu->quirks.tpr_held)
		return;
	if (masked)
		vcpu->quirks.tpr = (uint8_t)apic_read(vcpu->apic.page, APIC_TPR);
	vcpu->quirks.tpr_held = masked;
	apic_write(vcpu->apic.page, APIC_TPR, masked ? TPR_ALL : vcpu->quirks.tpr);
}

void quirk_apic_moved(struct vcpu *vcpu)
{
	if (!vcpu->quirks.tpr_held)
		return;
	if (apic_read(vcpu->apic.page, APIC_TPR) != TPR_ALL) /* it was reset */
		vcpu->quirks.tpr = 0;
	apic_write(vcpu->apic.page, APIC_TPR, TPR_ALL);
}

static bool has_bit(const struct vcpu *vcpu, unsigned int first)
{
	return apic_read(vcpu->apic.page, first + PROBE_BIT_AT) & PROBE_BIT;
}

static uint64_t enter(struct vcpu *vcpu, struct vmcb *vmcb)
{
	vcpu->vmcb_hpa = hpa_of(vmcb);
	vcpu->host_flags = RFLAGS_FIXED;
	ENTER_GUEST(svm_enter, vcpu);
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	return vmcb->control.exit_code;
}

/*
 * A guest that only halts, and has no IDT: an interrupt that it gets is a #GP, which exits. First
 * as one that L1's GIF=0 protects, then as one that takes the interrupt, so that it is gone.
 */
static bool gets_interrupt(struct vcpu *vcpu, struct vmcb *vmcb)
{
	struct vmcb_control *control = &vmcb->control;
	bool gets;

	*vmcb = *vcpu->cpu.halt;
	control->intercepts[INTERCEPT_MISC1] |= MISC1_HLT;
	vmcb->save.rflags |= RFLAGS_IF;
	gets = enter(vcpu, vmcb) != VMEXIT_HLT;
	for (unsigned int i = 0; i < PROBE_TRIES && !has_bit(vcpu, APIC_ISR); i++) {
		control->int_ctl = control->int_state = control->event_inj = 0;
		control->clean = 0;
		enter(vcpu, vmcb);
	}
	if (has_bit(vcpu, APIC_ISR))
		apic_write(vcpu->apic.page, APIC_EOI, 0);
	return gets;
}

void quirk_probe_vector0(struct vcpu *vcpu)
{
	uint32_t tpr, spurious;

	if (!features.kvm)
		return;
	tpr = apic_read(vcpu->apic.page, APIC_TPR);
	spurious = apic_read(vcpu->apic.page, APIC_SPURIOUS);
	apic_write(vcpu->apic.page, APIC_SPURIOUS, spurious | SPURIOUS_ENABLE);
	apic_write(vcpu->apic.page, APIC_TPR, 0);
	apic_write(vcpu->apic.page, APIC_ICR, ICR_TO_SELF | PROBE_VECTOR);
	for (unsigned int i = 0; i < PROBE_TRIES && !has_bit(vcpu, APIC_IRR); i++)
		cpu_relax();
	features.vector0 = gets_interrupt(vcpu, vcpu->quirks.without_busy);
	apic_write(vcpu->apic.page, APIC_TPR, tpr);
	apic_write(vcpu->apic.page, APIC_SPURIOUS, spurious);
	if (features.vector0)
		log_info("KVM below gives guests vector 0 for interrupts that are held back: the "
		         "TPR holds them back, too");
}
