/*
 * What this machine's SVM can do. Relies on hv/x86.h for CPUID.
 */
#include "svm/features.h"
#include "hv/x86.h"
#include "svm/interface.h"

enum {
	LEAF_FEATURES = 1,
	LEAF_STRUCTURED = 7,
	LEAF_EXTENDED = 0x80000001,
	LEAF_ADDRESS_SIZES = 0x80000008,
	LEAF_SVM = 0x8000000a,
	LEAF_EXTENDED_2 = 0x80000021,
};

struct features features;

/* A bit of a CPUID register that lets a bit of a control register be set. */
struct grant {
	uint32_t leaf;
	char reg; /* a, b, c, d */
	uint8_t bit;
	uint32_t allows;
};

static const struct grant efer_grants[] = {
	{LEAF_EXTENDED, 'd', 11, EFER_SCE},         {LEAF_EXTENDED, 'd', 29, EFER_LME | EFER_LMA},
	{LEAF_EXTENDED, 'd', 20, EFER_NXE},         {LEAF_EXTENDED, 'c', 2, EFER_SVME},
	{LEAF_EXTENDED, 'd', 25, EFER_FFXSR},       {LEAF_EXTENDED, 'c', 17, EFER_TCE},
	{LEAF_ADDRESS_SIZES, 'b', 8, EFER_MCOMMIT}, {LEAF_ADDRESS_SIZES, 'b', 13, EFER_INTWB},
	{LEAF_EXTENDED_2, 'a', 7, EFER_UAIE},       {LEAF_EXTENDED_2, 'a', 8, EFER_AIBRSE},
};

static const struct grant cr4_grants[] = {
	{LEAF_FEATURES, 'd', 1, CR4_VME | CR4_PVI},
	{LEAF_FEATURES, 'd', 4, CR4_TSD},
	{LEAF_FEATURES, 'd', 2, CR4_DE},
	{LEAF_FEATURES, 'd', 3, CR4_PSE},
	{LEAF_FEATURES, 'd', 6, CR4_PAE},
	{LEAF_FEATURES, 'd', 7, CR4_MCE},
	{LEAF_FEATURES, 'd', 13, CR4_PGE},
	{LEAF_FEATURES, 'd', 24, CR4_OSFXSR},
	{LEAF_FEATURES, 'd', 25, CR4_OSXMMEXCPT},
	{LEAF_FEATURES, 'c', 17, CR4_PCIDE},
	{LEAF_FEATURES, 'c', 26, CR4_OSXSAVE},
	{LEAF_STRUCTURED, 'c', 2, CR4_UMIP},
	{LEAF_STRUCTURED, 'b', 0, CR4_FSGSBASE},
	{LEAF_STRUCTURED, 'b', 7, CR4_SMEP},
	{LEAF_STRUCTURED, 'b', 20, CR4_SMAP},
	{LEAF_STRUCTURED, 'c', 3, CR4_PKE},
	{LEAF_STRUCTURED, 'c', 7, CR4_CET},
};

static struct cpuid_regs leaf(uint32_t number)
{
	uint32_t first = number & 0x80000000;

	if (cpuid(first, 0).eax < number)
		return (struct cpuid_regs){0, 0, 0, 0};
	return cpuid(number, 0);
}

static uint64_t granted(const struct grant *grants, unsigned int count)
{
	uint64_t valid = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct cpuid_regs r = leaf(grants[i].leaf);
		uint32_t reg = grants[i].reg == 'a'   ? r.eax
		               : grants[i].reg == 'b' ? r.ebx
		               : grants[i].reg == 'c' ? r.ecx
		                                      : r.edx;

		if (reg >> grants[i].bit & 1)
			valid |= grants[i].allows;
	}
	return valid;
}

/* An outer Nestling passes on what it runs on: svm/cpuid.c. */
static bool on_tcg(void)
{
	struct cpuid_regs r = cpuid(LEAF_HYPERVISOR, 0);

	if (r.ebx == NESTLING_EBX && r.ecx == NESTLING_ECX && r.edx == NESTLING_EDX)
		return cpuid(LEAF_HYPERVISOR_INFO, 0).ebx & QUIRKS_TCG;
	return r.ebx == 0x54474354 && r.ecx == 0x43544743 && r.edx == 0x47435447; /* TCGTCGTCGTCG */
}

/*
 * Without nested paging L1 is not offered it either; nor what shadow pages do not have: address
 * spaces by number, protection keys, shadow stacks, tags in addresses.
 */
static void hide_for_own_paging(void)
{
	features.shown &= ~SVM_FEATURE_NP;
	features.cr4_valid &= ~(uint64_t)(CR4_PCIDE | CR4_PKE | CR4_CET);
	features.efer_valid &= ~(uint64_t)EFER_UAIE;
}

void features_init(bool la57, bool npt)
{
	struct cpuid_regs svm = leaf(LEAF_SVM);

	features.svm = svm.edx;
	features.asids = svm.ebx;
	/* What L0 does for L1 on any processor, and what it merely hands through. */
	features.shown = svm.edx & (SVM_FEATURE_NP | SVM_FEATURE_NRIP | SVM_FEATURE_FLUSH_ASID |
	                            SVM_FEATURE_ADDR_CHECK);
	features.phys_bits = (uint8_t)leaf(LEAF_ADDRESS_SIZES).eax;
	features.page_1g = leaf(LEAF_EXTENDED).edx & (1u << 26);
	features.nx = leaf(LEAF_EXTENDED).edx & (1u << 20);
	features.la57 = la57;
	features.npt = npt;
	features.tcg = on_tcg();
	features.efer_valid = granted(efer_grants, sizeof(efer_grants) / sizeof(*efer_grants));
	features.cr4_valid = granted(cr4_grants, sizeof(cr4_grants) / sizeof(*cr4_grants));
	if (la57)
		features.cr4_valid |= CR4_LA57;
	if (!npt)
		hide_for_own_paging();
}
