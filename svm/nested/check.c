/*
 * The consistency checks of VMRUN (AMD64 APM vol. 2, section 15.5.1, "Canonicalization and
 * Consistency Checks"), made on L0's own copy of VMCB12. Each rule has a name, so that a failing
 * one can be told. Relies on svm/features.h.
 */
#include "hv/x86.h"
#include "svm/features.h"
#include "svm/nested/nested.h"

#define HIGH_HALF 0xffffffff00000000ull

static bool beyond_memory(uint64_t base, uint64_t size)
{
	base &= ~(uint64_t)(PAGE_SIZE - 1);
	return base >> features.phys_bits || (base + size - 1) >> features.phys_bits;
}

static bool bad_event(uint64_t event, bool code64)
{
	unsigned int vector = event & EVENT_VECTOR_MASK;

	switch ((event & EVENT_TYPE_MASK) >> EVENT_TYPE_SHIFT) {
	case EVENT_INTR:
	case EVENT_NMI:
	case EVENT_SOFT_INTR:
		return false;
	case EVENT_EXCEPTION: /* INTO and BOUND do not exist in 64-bit code */
		return vector == VEC_NMI || vector > VEC_SX ||
		       (code64 && (vector == VEC_OF || vector == VEC_BR));
	default:
		return true;
	}
}

static const char *check_control(const struct nested_control *control)
{
	if (!(control->intercepts[INTERCEPT_MISC2] & MISC2_VMRUN))
		return "the VMRUN intercept is clear";
	if (beyond_memory(control->msrpm_base_pa, MSRPM_SIZE))
		return "MSRPM is beyond the physical address width";
	if (beyond_memory(control->iopm_base_pa, IOPM_SIZE))
		return "IOPM is beyond the physical address width";
	if ((control->nested_ctl & NESTED_CTL_NP_ENABLE) && !is_shown(SVM_FEATURE_NP))
		return "nested paging is not offered";
	return NULL;
}

static const char *check_save(const struct vmcb_save *save)
{
	bool paging = save->cr0 & CR0_PG;
	bool long_mode = paging && (save->efer & EFER_LME);

	if (!(save->efer & EFER_SVME))
		return "EFER.SVME is 0";
	if (save->efer & ~features.efer_valid)
		return "EFER has reserved bits";
	if ((save->cr0 & (CR0_CD | CR0_NW)) == CR0_NW)
		return "CR0.NW without CD";
	if (save->cr0 & HIGH_HALF)
		return "CR0[63:32]";
	if (save->cr3 >> features.phys_bits)
		return "CR3 is beyond the physical address width";
	if (save->cr4 & ~features.cr4_valid)
		return "CR4 has reserved bits";
	if ((save->cr4 & CR4_CET) && !(save->cr0 & CR0_WP))
		return "CR4.CET without CR0.WP";
	if (save->dr6 & HIGH_HALF)
		return "DR6[63:32]";
	if (save->dr7 & HIGH_HALF)
		return "DR7[63:32]";
	if (long_mode && !(save->cr4 & CR4_PAE))
		return "EFER.LME and CR0.PG without CR4.PAE";
	if (long_mode && !(save->cr0 & CR0_PE))
		return "EFER.LME and CR0.PG without CR0.PE";
	if (long_mode && (save->cs.attributes & SEG_ATTR_L) && (save->cs.attributes & SEG_ATTR_DB))
		return "CS.L and CS.D in long mode";
	return NULL;
}

const char *nested_check_again(const struct nested_control *control, const struct vmcb_save *save)
{
	if (control->asid == 0)
		return "ASID is 0";
	if (control->asid >= features.asids - ASID_SHIFT)
		return "ASID is beyond NASID";
	if ((control->nested_ctl & NESTED_CTL_NP_ENABLE) &&
	    control->nested_cr3 >> features.phys_bits)
		return "nCR3 is beyond the physical address width";
	if ((control->event_inj & EVENT_VALID) &&
	    bad_event(control->event_inj, (save->cr0 & CR0_PG) && (save->efer & EFER_LME) &&
	                                          (save->cs.attributes & SEG_ATTR_L)))
		return "EVENTINJ is illegal";
	return NULL;
}

const char *nested_check(const struct nested_control *control, const struct vmcb_save *save)
{
	const char *rule = check_control(control);

	if (!rule)
		rule = check_save(save);
	if (!rule && (control->nested_ctl & NESTED_CTL_NP_ENABLE) && !pat_is_valid(save->g_pat))
		rule = "gPAT is illegal";
	return rule ? rule : nested_check_again(control, save);
}

const char *nested_check_host(const struct nested_control *control, const struct vmcb_save *host)
{
	if (!(control->nested_ctl & NESTED_CTL_NP_ENABLE))
		return NULL;
	/* The walker of nested tables takes their format from the host's paging: APM 15.25.3. */
	if (!(host->cr0 & CR0_PG))
		return "nested paging, and the host's CR0.PG is 0";
	if ((host->cr4 & CR4_LA57) && !features.la57)
		return "5-level nested tables, and CPUID does not offer 5 levels";
	return NULL;
}
