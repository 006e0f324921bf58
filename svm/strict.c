/*
 * The checks of STRICT builds, from AMD64 APM vol. 2, section 15.5.1 and appendix B, on the VMCB
 * that is about to run. Written apart from svm/nested/check.c, which judges what L1 asks for; this
 * judges what L0 made of it. Relies on svm/features.h.
 */
#include "svm/strict.h"

#if STRICT

#include "hv/log.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/decode/decode.h"
#include "svm/features.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"

static void require(bool good, const char *rule)
{
	if (!good)
		panic("STRICT: the VMCB about to run breaks a rule: %s", rule);
}

static bool is_address(uint64_t hpa)
{
	return !(hpa & (PAGE_SIZE - 1)) && !(hpa >> features.phys_bits);
}

static void check_l0(const struct vcpu *vcpu)
{
	const struct vmcb_control *c = &vcpu->vmcb->control;
	uint64_t int_ctl_l0 = INT_CTL_V_TPR_MASK | INT_CTL_V_INTR_MASKING;
	uint32_t misc2 = MISC2_VMRUN | MISC2_VMLOAD | MISC2_VMSAVE | MISC2_SKINIT;

	require(vcpu->vmcb == (vcpu->guest_mode ? vcpu->vmcb02 : vcpu->vmcb01), "the VMCB in use");
	if (c->virt_ext & VIRT_EXT_VMLOAD_VMSAVE)
		misc2 &= ~(MISC2_VMLOAD | MISC2_VMSAVE);
	if (!(c->int_ctl & INT_CTL_V_GIF_ENABLE))
		misc2 |= MISC2_STGI | MISC2_CLGI;
	require((c->intercepts[INTERCEPT_MISC2] & misc2) == misc2, "SVM instructions are L0's");
	require(c->intercepts[INTERCEPT_MISC1] & MISC1_INVLPGA, "INVLPGA is L0's");
	require(c->intercepts[INTERCEPT_MISC1] & MISC1_MSR_PROT, "MSRs are L0's to check");
	require(c->intercepts[INTERCEPT_MISC1] & MISC1_SHUTDOWN, "SHUTDOWN is L0's");
	require(vcpu->guest_mode ? c->asid > ASID_L1 : c->asid == ASID_L1, "whose ASID");
	require(c->nested_ctl == (features.npt ? NESTED_CTL_NP_ENABLE : 0),
	        "nested paging where there is any, and nothing else");
	require(features.npt || (c->intercepts[INTERCEPT_EXCEPTION] >> VEC_PF & 1),
	        "page faults are L0's");
	require(features.npt || (c->intercepts[INTERCEPT_MISC1] & MISC1_TASK_SWITCH),
	        "task switches are L0's");
	require(features.npt || (vcpu->vmcb->save.cr0 & CR0_PG && vcpu->vmcb->save.cr0 & CR0_WP),
	        "L0's shadow protects what L0 protects");
	require(!c->virt_ext ||
	                (vcpu->guest_mode
	                         ? c->virt_ext == VIRT_EXT_LBR && is_shown(SVM_FEATURE_LBR)
	                         : c->virt_ext == VIRT_EXT_VMLOAD_VMSAVE &&
	                                   features.virtual_vmload && (vcpu->efer & EFER_SVME)),
	        "virt_ext has only what was offered");
	require(!(c->int_ctl & ~(vcpu->guest_mode ? features.int_ctl : int_ctl_l0)),
	        "int_ctl has only what was offered");
	require(vcpu->guest_mode || vcpu->event.gif || (c->int_ctl & INT_CTL_V_INTR_MASKING),
	        "GIF=0 holds interrupts back");
	require(!(vcpu->host_flags & RFLAGS_IF) || vcpu->event.gif, "GIF=0 holds interrupts back");
}

static void check_manual(const struct vmcb *vmcb)
{
	const struct vmcb_control *c = &vmcb->control;
	const struct vmcb_save *s = &vmcb->save;
	bool pg = s->cr0 & CR0_PG, lme = s->efer & EFER_LME;
	uint64_t type = (c->event_inj & EVENT_TYPE_MASK) >> EVENT_TYPE_SHIFT;

	require(s->efer & EFER_SVME, "EFER.SVME");
	require(!(s->efer & ~features.efer_valid), "EFER's reserved bits");
	require(!((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD)), "NW without CD");
	require(!(s->cr0 >> 32), "CR0[63:32]");
	require(!(s->cr3 >> features.phys_bits), "CR3's reserved bits");
	require(!(s->cr4 & ~features.cr4_valid), "CR4's reserved bits");
	require(!(s->cr4 & CR4_CET) || (s->cr0 & CR0_WP), "CET without WP");
	require(!(s->dr6 >> 32) && !(s->dr7 >> 32), "DR6[63:32], DR7[63:32]");
	require(!(lme && pg) || ((s->cr4 & CR4_PAE) && (s->cr0 & CR0_PE)),
	        "long mode needs PAE, PE");
	require(!(lme && pg && (s->cs.attributes & SEG_ATTR_L) && (s->cs.attributes & SEG_ATTR_DB)),
	        "CS.L and CS.D");
	require(c->asid && c->asid < features.asids, "ASID");
	require(is_address(c->nested_cr3), "nCR3");
	require(is_address(c->msrpm_base_pa) &&
	                is_address(c->msrpm_base_pa + MSRPM_SIZE - PAGE_SIZE),
	        "MSRPM");
	require(is_address(c->iopm_base_pa) && is_address(c->iopm_base_pa + IOPM_SIZE - PAGE_SIZE),
	        "IOPM");
	if (c->event_inj & EVENT_VALID)
		require(type == EVENT_INTR || type == EVENT_NMI || type == EVENT_SOFT_INTR ||
		                (type == EVENT_EXCEPTION &&
		                 (c->event_inj & EVENT_VECTOR_MASK) < 32 &&
		                 (c->event_inj & EVENT_VECTOR_MASK) != VEC_NMI),
		        "EVENTINJ");
	require(c->tlb_control == TLB_CONTROL_NONE || c->tlb_control == TLB_CONTROL_FLUSH_ALL ||
	                (has(SVM_FEATURE_FLUSH_ASID) &&
	                 (c->tlb_control == TLB_CONTROL_FLUSH_ASID ||
	                  c->tlb_control == TLB_CONTROL_FLUSH_ASID_NONGLOBAL)),
	        "TLB_CONTROL");
	require(!quirk_hangs(s), "QEMU hangs on this state");
}

/* A field may differ from what the processor saw last only if its clean bit is 0; APM 15.15. */
static void check_clean(const struct vmcb *vmcb, const struct vmcb *seen)
{
#define CHECK_CLEAN(member, offset, bit)                                                           \
	require(!((bit)&vmcb->control.clean) ||                                                    \
	                !memcmp(&vmcb->member, &seen->member, sizeof(vmcb->member)),               \
	        "its clean bit is set, and there changed " #member);
	VMCB_FIELDS(CHECK_CLEAN)
#undef CHECK_CLEAN
}

static struct vmcb *seen_of(const struct vcpu *vcpu)
{
	return vcpu->seen[vcpu->guest_mode ? 1 + (vcpu->nested.slot - vcpu->nested.vmcb02s) : 0];
}

void strict_check_again(struct vcpu *vcpu)
{
	const struct vmcb *vmcb02 = vcpu->vmcb02;
	struct vmcb_control full = vmcb02->control;

	nested_build_control(vcpu, &full);
	full.virt_ext = vmcb02->control.virt_ext; /* of svm/nested/extensions.c, each time */
	require(!memcmp(&full, &vmcb02->control, sizeof(full)), "VMCB02 is built again in full");
	require(!nested_check(&vcpu->nested.ctl, &vmcb02->save),
	        "what is run again has been checked");
}

void strict_check(const struct vcpu *vcpu)
{
	check_l0(vcpu);
	check_manual(vcpu->vmcb);
	check_clean(vcpu->vmcb, seen_of(vcpu));
}

void strict_ran(struct vcpu *vcpu)
{
	*seen_of(vcpu) = *vcpu->vmcb;
}

void strict_check_length(struct vcpu *vcpu, unsigned int length)
{
	const struct instruction *instruction = decode(vcpu, vcpu->vmcb->control.exit_code);

	/* It cannot be decoded if another processor has changed it, or the way to it, since. */
	if (instruction && instruction->length != length)
		panic("STRICT: an instruction of %u bytes, by nRIP %u, exited as %llx",
		      instruction->length, length,
		      (unsigned long long)vcpu->vmcb->control.exit_code);
}

#endif
