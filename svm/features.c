/*
 * What this machine's SVM can do. Relies on hv/x86.h for CPUID, on hv/exception.h for SYSCFG, which
 * emulators may not have.
 */
#include "svm/features.h"
#include "hv/exception.h"
#include "hv/lock.h"
#include "hv/x86.h"
#include "svm/cpuid.h"
#include "svm/look/interface.h"
#include "svm/vmcb.h"

enum { FOUR_LEVEL_BITS = 48, FIVE_LEVEL_BITS = 52 }; /* what tables of 4 and 5 levels map */

struct features features;

/* A feature, and the bits of a control register that it lets be set. */
struct grant {
	struct cpuid_bit feature;
	uint32_t allows;
};

static const struct grant efer_grants[] = {
	{{LEAF_EXTENDED, 'd', 11}, EFER_SCE},
	{{LEAF_EXTENDED, 'd', 29}, EFER_LME | EFER_LMA},
	{{LEAF_EXTENDED, 'd', 20}, EFER_NXE},
	{{LEAF_EXTENDED, 'c', 2}, EFER_SVME},
	{{LEAF_EXTENDED, 'd', 25}, EFER_FFXSR},
	{{LEAF_EXTENDED, 'c', 17}, EFER_TCE},
	{{LEAF_ADDRESS_SIZES, 'b', 8}, EFER_MCOMMIT},
	{{LEAF_ADDRESS_SIZES, 'b', 13}, EFER_INTWB},
	{{LEAF_EXTENDED_2, 'a', 7}, EFER_UAIE},
	{{LEAF_EXTENDED_2, 'a', 8}, EFER_AIBRSE},
};

static const struct grant cr4_grants[] = {
	{{LEAF_FEATURES, 'd', 1}, CR4_VME | CR4_PVI},
	{{LEAF_FEATURES, 'd', 4}, CR4_TSD},
	{{LEAF_FEATURES, 'd', 2}, CR4_DE},
	{{LEAF_FEATURES, 'd', 3}, CR4_PSE},
	{{LEAF_FEATURES, 'd', 6}, CR4_PAE},
	{{LEAF_FEATURES, 'd', 7}, CR4_MCE},
	{{LEAF_FEATURES, 'd', 13}, CR4_PGE},
	{{LEAF_FEATURES, 'd', 24}, CR4_OSFXSR},
	{{LEAF_FEATURES, 'd', 25}, CR4_OSXMMEXCPT},
	{{LEAF_FEATURES, 'c', 17}, CR4_PCIDE},
	{{LEAF_FEATURES, 'c', 26}, CR4_OSXSAVE},
	{{LEAF_STRUCTURED, 'c', 2}, CR4_UMIP},
	{{LEAF_STRUCTURED, 'b', 0}, CR4_FSGSBASE},
	{{LEAF_STRUCTURED, 'b', 7}, CR4_SMEP},
	{{LEAF_STRUCTURED, 'b', 20}, CR4_SMAP},
	{{LEAF_STRUCTURED, 'c', 3}, CR4_PKE},
	{{LEAF_STRUCTURED, 'c', 7}, CR4_CET},
	{{LEAF_STRUCTURED, 'c', 16}, CR4_LA57},
	{{LEAF_STRUCTURED, 'c', 31}, CR4_PKS},
};

/* States of XSAVE, by their bits in XCR0 and in XSS; APM vol. 2, section 11.5.2. */
static const struct grant xcr0_grants[] = {
	{{LEAF_FEATURES, 'c', 26}, XCR0_X87 | XCR0_SSE},
	{{LEAF_FEATURES, 'c', 28}, XCR0_AVX},
	{{LEAF_STRUCTURED, 'b', 14}, XCR0_BNDREGS | XCR0_BNDCSR},
	{{LEAF_STRUCTURED, 'b', 16}, XCR0_AVX512},
	{{LEAF_STRUCTURED, 'c', 3}, XCR0_PKRU},
};

static const struct grant xss_grants[] = {
	{{LEAF_STRUCTURED, 'c', 7}, XSS_CET_U | XSS_CET_S},
};

#define GRANTED(grants, by) granted(grants, sizeof(grants) / sizeof(*(grants)), by)

static uint64_t granted(const struct grant *grants, unsigned int count,
                        bool (*by)(const struct cpuid_bit *bit))
{
	uint64_t valid = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (by(&grants[i].feature))
			valid |= grants[i].allows;
	}
	return valid;
}

/*
 * Is this emulator, or KVM, below? An outer Nestling passes on what it runs on:
 * svm/emulate/cpuid.c.
 */
static bool runs_on(const struct cpuid_regs *signature, uint32_t quirks)
{
	struct cpuid_regs r = cpuid(LEAF_HYPERVISOR, 0);

	if (r.ebx == NESTLING_EBX && r.ecx == NESTLING_ECX && r.edx == NESTLING_EDX)
		return cpuid(LEAF_HYPERVISOR_INFO, 0).ebx & quirks;
	return r.ebx == signature->ebx && r.ecx == signature->ecx && r.edx == signature->edx;
}

/*
 * Where the firmware has enabled memory encryption, one bit of an address says whether the page is
 * encrypted, and others have no meaning: what CPUID 8000_0008 says is too wide by as much as
 * 8000_001F tells (APM vol. 2, section 7.10.1). L1, which encrypts nothing, has what is left.
 */
static unsigned int address_bits(void)
{
	unsigned int bits = cpuid_real(LEAF_ADDRESS_SIZES, 0).eax & 0xff;
	uint32_t encryption = cpuid_real(LEAF_ENCRYPTION, 0).ebx;
	unsigned int c_bit = encryption & 0x3f, fewer = encryption >> 6 & 0x3f;
	uint64_t syscfg = 0;

	if (encryption && rdmsr_safe(MSR_SYSCFG, &syscfg) && (syscfg & SYSCFG_MEM_ENCRYPT)) {
		bits -= fewer;
		if (bits > c_bit)
			bits = c_bit;
	}
	return bits;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
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

/* APM vol. 3, CPUID Fn0000_0001_EAX. */
static unsigned int family(void)
{
	enum { BASE = 0xf, EXTENDED = 0xff };
	uint32_t signature = cpuid_real(LEAF_FEATURES, 0).eax;
	unsigned int base = signature >> 8 & BASE;

	return base < BASE ? base : base + (signature >> 20 & EXTENDED);
}

/*
 * Client processors of Zen 4 show virtual VMLOAD and VMSAVE, and their machines were reset by them
 * (CVE-2024-53114; Linux clears the bit for the same models).
 */
static bool resets_by_vmload(void)
{
	uint32_t signature = cpuid_real(LEAF_FEATURES, 0).eax;
	uint32_t model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);

	return features.family == 0x19 &&
	       ((model >= 0x18 && model <= 0x1f) || (model >= 0x60 && model <= 0x7f));
}

static void choose_svm(bool untried)
{
	uint32_t moved = SVM_FEATURE_LBR | SVM_FEATURE_DECODE;

	features.shown = features.svm & (untried ? OFFERED | OFFERED_UNTRIED : OFFERED);
	if (!features.npt)
		features.shown &= ~SVM_FEATURE_NP;
	features.int_ctl = INT_CTL_PLAIN;
	if (is_shown(SVM_FEATURE_VGIF))
		features.int_ctl |= INT_CTL_V_GIF | INT_CTL_V_GIF_ENABLE;
	features.pause_filter = (is_shown(SVM_FEATURE_PAUSE_THRESH) ? 0xffffu : 0) |
	                        (is_shown(SVM_FEATURE_PAUSE_FILTER) ? 0xffffu << 16 : 0);
	features.virtual_vmload =
		untried && features.npt && has(SVM_FEATURE_VMLOAD_VMSAVE) && !resets_by_vmload();
	/* STRICT builds keep clean bits on any processor, and compare. */
	features.clean = STRICT || (untried && has(SVM_FEATURE_CLEAN));
	features.extensions =
		is_shown(moved) || has(SVM_FEATURE_SPEC_CTRL) || (features.cr4_valid & CR4_CET);
}

/*
 * An emulator's CPUID may show what its EFER refuses, and VMRUN in a VMCB as well (Bochs: TCE).
 * LME and LMA are how L0 runs.
 */
static void hide_refused_efer(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	for (unsigned int i = 0; i < sizeof(efer_grants) / sizeof(*efer_grants); i++) {
		if (cpuid_shows(&efer_grants[i].feature) && !(efer_grants[i].allows & EFER_LME) &&
		    !wrmsr_safe(MSR_EFER, efer | efer_grants[i].allows))
			cpuid_hide(&efer_grants[i].feature);
	}
	wrmsr(MSR_EFER, efer);
}

/*
 * The registers take what CPUID shows, and nothing else. Where the processor would take more, L0
 * watches. CPUID does not tell of CR4.PCE: performance counters are older than SVM.
 */
static void choose_registers(void)
{
	struct cpuid_regs states = cpuid_real(LEAF_XSAVE, 0), more = cpuid_real(LEAF_XSAVE, 1);
	uint64_t xcr0 = states.eax | (uint64_t)states.edx << 32;

	hide_refused_efer();
	features.efer_valid = GRANTED(efer_grants, cpuid_shows);
	features.cr4_valid = CR4_PCE | GRANTED(cr4_grants, cpuid_shows);
	features.xcr0_valid = xcr0 & GRANTED(xcr0_grants, cpuid_shows);
	features.xss_valid = more.ecx & GRANTED(xss_grants, cpuid_shows);
	features.watch_cr4 = features.npt && (GRANTED(cr4_grants, cpuid_has) & ~features.cr4_valid);
	features.watch_xcr0 = xcr0 != features.xcr0_valid;
}

/*
 * Against an L2 that steers what L0 or L1 predict. AutoIBRS (APM vol. 2, section 3.2.9) keeps
 * guests from steering the host's indirect branches, and #VMEXIT then clears return predictions;
 * but where the processor does not say that returns are safe (SRSO_NO; or for user and kernel, with
 * BpSpecReduce for the rest), only a barrier is.
 */
static void choose_barriers(const struct feature_choice *choice)
{
	static const struct cpuid_bit ibpb = {LEAF_ADDRESS_SIZES, 'b', 12};
	static const struct cpuid_bit auto_ibrs = {LEAF_EXTENDED_2, 'a', 8};
	static const struct cpuid_bit srso_no = {LEAF_EXTENDED_2, 'a', 29};
	static const struct cpuid_bit srso_user_kernel_no = {LEAF_EXTENDED_2, 'a', 30};
	static const struct cpuid_bit srso_msr_fix = {LEAF_EXTENDED_2, 'a', 31};
	bool on = choice->barriers != BARRIERS_OFF;

	features.auto_ibrs = on && cpuid_has(&auto_ibrs);
	features.spec_reduce = on && !cpuid_has(&srso_no) && cpuid_has(&srso_user_kernel_no) &&
	                       cpuid_has(&srso_msr_fix);
	features.untrain = on && cpuid_has(&ibpb) &&
	                   !(features.auto_ibrs && (cpuid_has(&srso_no) || features.spec_reduce));
	if (choice->barriers == BARRIERS_ON) /* whatever the processor says, if it only can */
		features.untrain = wrmsr_safe(MSR_PRED_CMD, PRED_CMD_IBPB);
}

void features_init(const struct feature_choice *choice)
{
	static const struct cpuid_bit hypervisor = {LEAF_FEATURES, 'c', 31};
	static const struct cpuid_regs tcg = {
		.ebx = 0x54474354, .ecx = 0x43544743, .edx = 0x47435447}; /* TCGTCGTCGTCG */
	static const struct cpuid_regs kvm = {
		.ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d}; /* KVMKVMKVM */
	struct cpuid_regs svm, extended;

	features.npt = choice->npt;
	cpuid_init();
	svm = cpuid_real(LEAF_SVM, 0);
	extended = cpuid_real(LEAF_EXTENDED, 0);
	features.svm = svm.edx;
	features.asids = svm.ebx;
	features.family = (uint8_t)family();
	features.address_bits = (uint8_t)address_bits();
	features.phys_bits = (uint8_t)least(features.address_bits,
	                                    choice->la57 ? FIVE_LEVEL_BITS : FOUR_LEVEL_BITS);
	features.not_pages = ~0ull << features.phys_bits | (PAGE_SIZE - 1);
	features.page_1g = extended.edx & (1u << 26);
	features.nx = extended.edx & (1u << 20);
	features.la57 = choice->la57;
	features.tcg = runs_on(&tcg, QUIRKS_TCG);
	features.kvm = runs_on(&kvm, QUIRKS_KVM);
	lock_any_order = cpuid_has(&hypervisor);
	choose_registers();
	choose_svm(choice->untried);
	choose_barriers(choice);
}
