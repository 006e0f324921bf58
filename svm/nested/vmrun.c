/*
 * L1's VMRUN: one snapshot of VMCB12, checks on the snapshot, VMCB02 from the snapshot. VMCB01
 * stays as it is while L2 runs: it is the host state to come back to. Relies on svm/nested.h.
 */
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/exit.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"
#include "svm/shadowed/paging.h"
#include "svm/emulate/perf.h"
#include "svm/cpus/processors.h"

/* Intercepts that exist only with features that L1 is not shown: they count as clear. */
#define UNSHOWN_MISC2 (MISC2_EFER_TRAP | (0xffffu << MISC2_CR_TRAP_SHIFT))
#define SHOWN_MISC3   (MISC3_INVPCID | MISC3_MCOMMIT)

/* Each field is read once: another processor of L1's may write VMCB12 meanwhile. */
static void snapshot_control(struct nested_control *to, const volatile struct vmcb_control *from)
{
	for (int i = 0; i < INTERCEPT_WORDS; i++)
		to->intercepts[i] = from->intercepts[i];
	to->intercepts[INTERCEPT_MISC2] &= ~UNSHOWN_MISC2;
	to->intercepts[INTERCEPT_MISC3] &= SHOWN_MISC3;
	to->iopm_base_pa = from->iopm_base_pa;
	to->msrpm_base_pa = from->msrpm_base_pa;
	to->tsc_offset = from->tsc_offset;
	to->asid = from->asid;
	to->tlb_control = from->tlb_control;
	to->int_ctl = from->int_ctl & features.int_ctl;
	to->int_state = from->int_state;
	to->nested_ctl = from->nested_ctl & NESTED_CTL_NP_ENABLE;
	to->event_inj = from->event_inj;
	to->nested_cr3 = from->nested_cr3;
	to->virt_ext = from->virt_ext;
	to->pause_filter_threshold =
		is_shown(SVM_FEATURE_PAUSE_THRESH) ? from->pause_filter_threshold : 0;
	to->pause_filter_count = is_shown(SVM_FEATURE_PAUSE_FILTER) ? from->pause_filter_count : 0;
}

static void copy_segment(struct vmcb_segment *to, const volatile struct vmcb_segment *from)
{
	to->selector = from->selector;
	to->attributes = from->attributes;
	to->limit = from->limit;
	to->base = from->base;
}

void nested_copy_state(struct vmcb_save *to, const volatile struct vmcb_save *from)
{
	copy_segment(&to->es, &from->es);
	copy_segment(&to->cs, &from->cs);
	copy_segment(&to->ss, &from->ss);
	copy_segment(&to->ds, &from->ds);
	copy_segment(&to->gdtr, &from->gdtr);
	copy_segment(&to->idtr, &from->idtr);
	to->cpl = from->cpl;
	to->efer = from->efer;
	to->cr4 = from->cr4;
	to->cr3 = from->cr3;
	to->cr0 = from->cr0;
	to->dr7 = from->dr7;
	to->dr6 = from->dr6;
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
	to->cr2 = from->cr2;
	to->g_pat = from->g_pat;
}

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
	uint8_t asked = vcpu->ctl.tlb_control;
	bool by_asid = is_shown(SVM_FEATURE_FLUSH_ASID);

	if (asked == TLB_CONTROL_NONE) {
		control->tlb_control = TLB_CONTROL_NONE;
		return;
	}
	/* Values that the processor does not know are undefined: flushing more is always right. */
	if (by_asid &&
	    (asked == TLB_CONTROL_FLUSH_ASID || asked == TLB_CONTROL_FLUSH_ASID_NONGLOBAL)) {
		control->tlb_control = asked;
		mmu_flush_asid(&vcpu->mmu_cpu, vcpu->ctl.asid);
	} else {
		control->tlb_control = TLB_CONTROL_FLUSH_ALL;
		mmu_flush_all_asids(&vcpu->mmu_cpu);
	}
	vcpu->counters.flushes++;
}

static void build_vmcb02(struct vcpu *vcpu)
{
	struct vmcb *vmcb02 = vcpu->vmcb02;
	struct vmcb_control *control = &vmcb02->control;
	const struct nested_control *l1 = &vcpu->ctl;

	build_intercepts(control, l1);
	control->pause_filter_threshold = l1->pause_filter_threshold;
	control->pause_filter_count = l1->pause_filter_count;
	control->iopm_base_pa = iopm_for_l2(vcpu);
	control->msrpm_base_pa = msrpm_for_l2(vcpu);
	control->tsc_offset = vcpu->vmcb01->control.tsc_offset + l1->tsc_offset;
	control->asid = l1->asid + ASID_SHIFT;
	build_tlb_control(vcpu);
	control->int_ctl = l1->int_ctl;
	control->int_state = l1->int_state & INT_STATE_SHADOW;
	control->event_inj = l1->event_inj;
	control->exit_int_info = 0;
	control->virt_ext = 0;
	control->clean = 0;
	if (features.extensions)
		nested_enter_extensions(vcpu);
	nested_load_root(vcpu);
	vcpu->l2_lme_held = quirk_hold_back_lme(vmcb02);
}

/* VMRUN fails: L1 goes on behind it with the exit code -1; the guest's state is untouched. */
static void refuse(struct vcpu *vcpu, const char *rule)
{
	struct vmcb_control *control = &vcpu->vmcb12->control;

	log_debug("VMRUN refused: %s", rule);
	control->exit_code = VMEXIT_INVALID;
	control->exit_info1 = 0;
	control->exit_info2 = 0;
	control->exit_int_info = 0;
	control->event_inj = 0;
	l1_written(vcpu->vmcb12_gpa);
	vcpu->counters.invalid++;
	set_gif(vcpu, false);
	trap_step(vcpu);
}

void nested_refused(struct vcpu *vcpu)
{
	if (STRICT)
		panic("the processor refused VMCB02, which the checks had passed");
	vcpu->guest_mode = false;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	if (vcpu->perf.split)
		perf_switch(vcpu);
	refuse(vcpu, "by the processor");
}

void nested_vmrun(struct vcpu *vcpu, uint64_t vmcb12_gpa)
{
	void *page = l1_page(NULL, vmcb12_gpa);
	const char *rule;

	vcpu->vmcb12_gpa = vmcb12_gpa;
	vcpu->vmcb12 = page ? page : phys(l1_sink_hpa());
	snapshot_control(&vcpu->ctl, &vcpu->vmcb12->control);
	nested_copy_state(&vcpu->vmcb02->save, &vcpu->vmcb12->save);

	rule = nested_check(&vcpu->ctl, &vcpu->vmcb02->save);
	/* The walker of nested tables takes their format from the host's paging: APM 15.25.3. */
	if (!rule && (vcpu->ctl.nested_ctl & NESTED_CTL_NP_ENABLE) &&
	    !(vcpu->vmcb01->save.cr0 & CR0_PG))
		rule = "nested paging, and the host's CR0.PG is 0";
	if (!rule && (vcpu->ctl.nested_ctl & NESTED_CTL_NP_ENABLE) &&
	    (vcpu->vmcb01->save.cr4 & CR4_LA57) && !features.la57)
		rule = "5-level nested tables, and CPUID does not offer 5 levels";
	if (!rule && !features.npt && !shadowed_begin_l2(vcpu))
		rule = "a PDPTE has reserved bits";
	if (rule) {
		refuse(vcpu, rule);
		return;
	}
	vcpu->gif = true; /* VMRUN sets it */
	update_interrupt_gate(vcpu);
	build_vmcb02(vcpu);
	vcpu->guest_mode = true;
	vcpu->vmcb = vcpu->vmcb02;
	vcpu->vmcb_hpa = vcpu->vmcb02_hpa;
	update_interrupt_gate(vcpu);
	if (vcpu->perf.split)
		perf_switch(vcpu);
	if (vcpu->nmi_blocked)
		watch_iret(vcpu);
}
