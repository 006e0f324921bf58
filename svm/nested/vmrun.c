/*
 * L1's VMRUN: one snapshot of VMCB12, checks on the snapshot, VMCB02 from the snapshot; where
 * nothing that is checked has changed since VMCB02 ran last, little of it is left to do. VMCB01
 * stays as it is while L2 runs: it is the host state to come back to. Relies on
 * svm/nested/nested.h.
 */
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/emulate/intercepts.h"
#include "svm/features.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"
#include "svm/shadowed/paging.h"
#include "svm/emulate/perf.h"
#include "svm/cpus/processors.h"
#include "svm/strict.h"

static void build_intercepts(struct vmcb_control *control, const struct nested_control *l1)
{
	for (int i = 0; i < INTERCEPT_WORDS; i++)
		control->intercepts[i] = l1->intercepts[i];
	intercept_for_l0(control);
	/* With a virtual GIF, L2's STGI and CLGI act on that; APM vol. 2, section 15.33.2. */
	if (l1->int_ctl & INT_CTL_V_GIF_ENABLE) {
		control->intercepts[INTERCEPT_MISC2] &= ~(MISC2_STGI | MISC2_CLGI);
		control->intercepts[INTERCEPT_MISC2] |=
			l1->intercepts[INTERCEPT_MISC2] & (MISC2_STGI | MISC2_CLGI);
	}
}

/* What L1 asks of the TLB is what the processor does: the ASIDs differ by one. */
static void build_tlb_control(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb02->control;
	uint8_t asked = vcpu->nested.ctl.tlb_control;

	control->tlb_control = TLB_CONTROL_NONE;
	if (asked == TLB_CONTROL_NONE)
		return;
	/* Values that the processor does not know are undefined: flushing more is always right. */
	if (is_shown(SVM_FEATURE_FLUSH_ASID) &&
	    (asked == TLB_CONTROL_FLUSH_ASID || asked == TLB_CONTROL_FLUSH_ASID_NONGLOBAL)) {
		control->tlb_control = asked;
		mmu_flush_asid(&vcpu->mmu_cpu, vcpu->nested.ctl.asid);
	} else {
		control->tlb_control = TLB_CONTROL_FLUSH_ALL;
		mmu_flush_all_asids(&vcpu->mmu_cpu);
	}
	vcpu->counters.flushes++;
}

void nested_build_control(const struct vcpu *vcpu, struct vmcb_control *control)
{
	const struct nested_control *l1 = &vcpu->nested.ctl;

	build_intercepts(control, l1);
	control->pause_filter = l1->pause_filter;
	control->tsc_offset = vcpu->vmcb01->control.tsc_offset + l1->tsc_offset;
	control->virt_ext = 0;
}

/* While L1 has maps of its own they are looked at by each VMRUN. */
static void build_maps(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb02->control;
	uint64_t iopm = iopm_for_l2(vcpu), msrpm = msrpm_for_l2(vcpu);

	if (control->iopm_base_pa != iopm || control->msrpm_base_pa != msrpm)
		control->clean &= ~CLEAN_IOPM;
	control->iopm_base_pa = iopm;
	control->msrpm_base_pa = msrpm;
}

static void build_vmcb02(struct vcpu *vcpu, uint32_t changed, bool again)
{
	struct vmcb_control *control = &vcpu->vmcb02->control;
	const struct nested_control *l1 = &vcpu->nested.ctl;

	control->clean = again ? control->clean & ~changed : 0;
	if (!again)
		nested_build_control(vcpu, control);
	if (!again || (l1->intercepts[INTERCEPT_MISC1] & (MISC1_MSR_PROT | MISC1_IOIO_PROT)))
		build_maps(vcpu);
	if (!again || (changed & CLEAN_ASID))
		control->asid = l1->asid + ASID_SHIFT;
	build_tlb_control(vcpu);
	control->int_ctl = l1->int_ctl; /* its clean bit is the gate's */
	control->int_state = l1->int_state & INT_STATE_SHADOW;
	control->event_inj = 0;
	if (__builtin_expect(l1->event_inj & EVENT_VALID, false))
		inject_event(vcpu, control, l1->event_inj);
	control->exit_int_info = 0;
	if (features.extensions)
		nested_enter_extensions(vcpu);
	nested_load_root(vcpu);
	vcpu->quirks.l2_lme_held = false;
	if (again && !(changed & CLEAN_CRX))
		return;
	vcpu->nested.slot->again = features.npt;
	vcpu->quirks.l2_lme_held = quirk_hold_back_lme(vcpu, vcpu->vmcb02);
}

/* VMRUN fails: L1 goes on behind it with the exit code -1; the guest's state is untouched. */
static void refuse(struct vcpu *vcpu, const char *rule)
{
	struct vmcb_control *control = &vcpu->nested.vmcb12->control;

	log_debug("VMRUN refused: %s", rule);
	vcpu->nested.slot->again = false; /* what is in VMCB02 now has not passed */
	control->exit_code = VMEXIT_INVALID;
	control->exit_info1 = 0;
	control->exit_info2 = 0;
	control->exit_int_info = 0;
	control->event_inj = 0;
	l1_written(vcpu->nested.slot->gpa);
	vcpu->counters.invalid++;
	set_gif(vcpu, false);
	trap_step(vcpu);
}

void nested_refused(struct vcpu *vcpu)
{
	vcpu->cpu.flush = true; /* the processor refuses before it flushes, maybe */
	if (STRICT)
		panic("the processor refused VMCB02, which the checks had passed");
	vcpu->guest_mode = false;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	if (vcpu->perf.split)
		perf_switch(vcpu);
	refuse(vcpu, "by the processor");
}

/* What L1's VMCB12 says, in L0's copies. */
static const char *check_vmcb12(const struct vcpu *vcpu, uint32_t changed, bool again)
{
	const struct nested_control *control = &vcpu->nested.ctl;
	const struct vmcb_save *save = &vcpu->vmcb02->save;

	if (!again)
		return nested_check(control, save);
	if (!(changed & CHANGED_AGAIN) && !(control->event_inj & EVENT_VALID))
		return NULL;
	return nested_check_again(control, save);
}

/* Why the VMRUN must fail; NULL: it need not. */
static inline const char *check(struct vcpu *vcpu, uint32_t changed, bool again)
{
	const char *rule = check_vmcb12(vcpu, changed, again);

	if (!rule)
		rule = nested_check_host(&vcpu->nested.ctl, &vcpu->vmcb01->save);
	if (!rule && !features.npt && !shadowed_begin_l2(vcpu))
		rule = "a PDPTE has reserved bits";
	return rule;
}

void nested_vmrun(struct vcpu *vcpu, uint64_t vmcb12_gpa)
{
	const volatile struct vmcb *vmcb12;
	const char *rule;
	uint32_t changed;
	bool again;

	if (vcpu->nested.slot->gpa != vmcb12_gpa)
		nested_use_vmcb02(vcpu, vmcb12_gpa);
	vmcb12 = vcpu->nested.vmcb12;
	changed = nested_take_control(&vcpu->nested.ctl, &vmcb12->control);
	changed |= nested_take_state(&vcpu->vmcb02->save, &vmcb12->save, nested_npt_enabled(vcpu));
	/* All that is checked is what it was in one and the same VMRUN, or nothing counts. */
	again = vcpu->nested.slot->again && !(changed & CHANGED_CHECKED);
	rule = check(vcpu, changed, again);
	if (rule) {
		refuse(vcpu, rule);
		return;
	}
	vcpu->counters.again += again;
	build_vmcb02(vcpu, changed, again);
	if (again)
		strict_check_again(vcpu);
	vcpu->event.gif = true; /* VMRUN sets it */
	vcpu->guest_mode = true;
	vcpu->vmcb = vcpu->vmcb02;
	vcpu->vmcb_hpa = vcpu->vmcb02_hpa;
	gate_to_l2(vcpu);
	if (vcpu->perf.split)
		perf_switch(vcpu);
	if (vcpu->event.nmi_blocked)
		watch_iret(vcpu);
}
