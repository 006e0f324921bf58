/*
 * The hooks for QEMU's own emulation that do more than answer. Relies on hv/memory.h for where a
 * VMCB is.
 */
#include "svm/quirks/quirks.h"
#include "hv/memory.h"
#include "hv/x86.h"

bool quirk_hold_back_lme(struct vcpu *vcpu, struct vmcb *vmcb)
{
	if (!features.npt || !quirk_hangs(&vmcb->save)) /* without it paging is always on */
		return false;
	vmcb->save.efer &= ~(uint64_t)EFER_LME;
	vmcb->control.intercepts[INTERCEPT_CR] |= 1u << VMEXIT_CR4_WRITE;
	vmcb->control.clean &= ~(CLEAN_I | CLEAN_CRX);
	control_edited(vcpu);
	return true;
}

void quirk_give_lme(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	bool held = vcpu->guest_mode ? vcpu->quirks.l2_lme_held : (vcpu->efer & EFER_LME) != 0;

	if (!(vmcb->save.cr4 & CR4_PAE) || !held)
		return;
	vmcb->save.efer |= EFER_LME;
	vcpu->quirks.l2_lme_held &= !vcpu->guest_mode;
	if (!features.watch_cr4)
		vmcb->control.intercepts[INTERCEPT_CR] &= ~(1u << VMEXIT_CR4_WRITE);
	vmcb->control.clean &= ~(CLEAN_I | CLEAN_CRX);
	control_edited(vcpu);
}

uint64_t quirk_hide_busy_tss(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct vmcb_save *copy = &vcpu->quirks.without_busy->save;

	copy->fs = vmcb->save.fs;
	copy->gs = vmcb->save.gs;
	copy->ldtr = vmcb->save.ldtr;
	copy->tr = vmcb->save.tr;
	copy->star = vmcb->save.star;
	copy->lstar = vmcb->save.lstar;
	copy->cstar = vmcb->save.cstar;
	copy->sfmask = vmcb->save.sfmask;
	copy->kernel_gs_base = vmcb->save.kernel_gs_base;
	copy->sysenter_cs = vmcb->save.sysenter_cs;
	copy->sysenter_esp = vmcb->save.sysenter_esp;
	copy->sysenter_eip = vmcb->save.sysenter_eip;
	copy->tr.attributes &= (uint16_t)~QUIRK_TSS_BUSY;
	vcpu->quirks.hidden_busy_tss = copy->tr;
	return hpa_of(vcpu->quirks.without_busy);
}

void quirk_show_busy_tss(const struct vcpu *vcpu, struct vmcb *vmcb)
{
	struct vmcb_segment *tr = &vmcb->save.tr;
	const struct vmcb_segment *hidden = &vcpu->quirks.hidden_busy_tss;

	if (features.tcg && tr->selector == hidden->selector &&
	    tr->attributes == hidden->attributes && tr->base == hidden->base)
		tr->attributes |= QUIRK_TSS_BUSY;
}
