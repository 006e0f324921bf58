/*
 * What this machine's SVM can do. Relies on hv/x86.h for CPUID, on hv/exception.h for SYSCFG, which
 * emulators may not have.
 */
#include "svm/features.h"
#include "hv/exception.h"
#include "hv/x86.h"
#include "svm/interface.h"
#include "svm/vmcb.h"

enum {
	LEAF_FEATURES = 1,
	LEAF_STRUCTURED = 7,
	LEAF_EXTENDED = 0x80000001,
	LEAF_ADDRESS_SIZES = 0x80000008,
	LEAF_SVM = 0x8000000a,
	LEAF_ENCRYPTION = 0x8000001f,
	LEAF_EXTENDED_2 = 0x80000021,

	FOUR_LEVEL_BITS = 48, /* what tables of 4 levels map */
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
 * Where the firmware has enabled memory encryption, one bit of an address says whether the page is
 * encrypted, and others have no meaning: what CPUID 8000_0008 says is too wide by as much as
 * 8000_001F tells (APM vol. 2, section 7.10.1). L1, which encrypts nothing, has what is left.
 */
static unsigned int physical_bits(bool la57)
{
	unsigned int bits = leaf(LEAF_ADDRESS_SIZES).eax & 0xff;
	uint32_t encryption = leaf(LEAF_ENCRYPTION).ebx;
	unsigned int c_bit = encryption & 0x3f, fewer = encryption >> 6 & 0x3f;
	uint64_t syscfg = 0;

	if (encryption && rdmsr_safe(MSR_SYSCFG, &syscfg) && (syscfg & SYSCFG_MEM_ENCRYPT)) {
		bits -= fewer;
		if (bits > c_bit)
			bits = c_bit;
	}
	return !la57 && bits > FOUR_LEVEL_BITS ? FOUR_LEVEL_BITS : bits;
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

/*
 * What L0 does for L1's L2s where the processor does it for L1. Clean bits need nothing: L0 reads
 * all of VMCB12 anyway.
 */
#define OFFERED                                                                                    \
	(SVM_FEATURE_NP | SVM_FEATURE_NRIP | SVM_FEATURE_FLUSH_ASID | SVM_FEATURE_ADDR_CHECK |     \
	 SVM_FEATURE_VGIF | SVM_FEATURE_PAUSE_FILTER)

/* The same, but no machine or emulator that has it was at hand. */
#define OFFERED_UNTRIED                                                                            \
	(SVM_FEATURE_LBR | SVM_FEATURE_DECODE | SVM_FEATURE_PAUSE_THRESH | SVM_FEATURE_CLEAN)

/* int_ctl bits of every processor. */
#define INT_CTL_PLAIN                                                                              \
	(INT_CTL_V_TPR_MASK | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO | INT_CTL_V_IGN_TPR |            \
	 INT_CTL_V_INTR_MASKING | INT_CTL_V_INTR_VECTOR)

static void choose_svm(bool untried)
{
	uint32_t moved = SVM_FEATURE_LBR | SVM_FEATURE_DECODE;

	features.shown = features.svm & (untried ? OFFERED | OFFERED_UNTRIED : OFFERED);
	features.int_ctl = INT_CTL_PLAIN;
	if (is_shown(SVM_FEATURE_VGIF))
		features.int_ctl |= INT_CTL_V_GIF | INT_CTL_V_GIF_ENABLE;
	/* STRICT builds keep clean bits on any processor, and compare. */
	features.clean = STRICT || (untried && has(SVM_FEATURE_CLEAN));
	features.options =
		is_shown(moved) || has(SVM_FEATURE_SPEC_CTRL) || (features.cr4_valid & CR4_CET);
}

void features_init(const struct feature_choice *choice)
{
	struct cpuid_regs svm = leaf(LEAF_SVM);

	features.svm = svm.edx;
	features.asids = svm.ebx;
	features.phys_bits = (uint8_t)physical_bits(choice->la57);
	features.page_1g = leaf(LEAF_EXTENDED).edx & (1u << 26);
	features.nx = leaf(LEAF_EXTENDED).edx & (1u << 20);
	features.la57 = choice->la57;
	features.npt = choice->npt;
	features.tcg = on_tcg();
	features.efer_valid = granted(efer_grants, sizeof(efer_grants) / sizeof(*efer_grants));
	/* CPUID does not tell of PCE: performance counters are older than SVM. */
	features.cr4_valid =
		CR4_PCE | granted(cr4_grants, sizeof(cr4_grants) / sizeof(*cr4_grants));
	if (choice->la57)
		features.cr4_valid |= CR4_LA57;
	choose_svm(choice->untried);
	if (!choice->npt)
		hide_for_own_paging();
}
