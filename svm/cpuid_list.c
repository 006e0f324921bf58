/*
 * The leaves and bits of CPUID that L1 is shown, where the processor has them: AMD64 APM vol. 3,
 * appendix E, as far as L0 keeps what they promise; and what emulators add that needs nothing of
 * L0. New ones are hidden until somebody has looked at them. Relies on svm/features.h.
 */
#include "svm/cpuid.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "svm/features.h"
#include "svm/vcpu.h"

/* Bits by number, the manual's order. */
#define B(n)        (1u << (n))
#define R(from, to) (~0u >> (31 - (to)) & ~0u << (from))
#define ALL         ~0u

/*
 * Not in ECX: VMX, SMX and what is Intel's of thermal and debug monitoring. Bit 24 is a timer that
 * KVM has for its guests.
 */
#define FEATURES_ECX                                                                               \
	(B(0) | B(1) | B(3) | B(9) | B(12) | B(13) | B(17) | R(19, 26) | B(27) | R(28, 30))
/* Not in EDX: ACPI's clock control, debug stores, self-snoop. */
#define FEATURES_EDX (R(0, 9) | R(11, 17) | B(19) | R(23, 26) | B(28))

/* Not: SGX (2), HLE and RTM (4, 11), deprecations, processor trace (25). 14 is QEMU's: MPX. */
#define STRUCTURED_EBX                                                                             \
	(B(0) | B(1) | B(3) | B(5) | B(7) | B(8) | B(9) | B(10) | B(12) | B(14) | R(15, 21) |      \
	 B(23) | B(24) | R(28, 31))
/* Not: WAITPKG (5), bus lock traps (24), ENQCMD, SGX. 31 is QEMU's: supervisor keys. */
#define STRUCTURED_ECX                                                                             \
	(B(1) | B(2) | B(3) | B(4) | R(6, 12) | B(14) | B(16) | B(22) | B(27) | B(28) | B(31))
/* Not: IBRS and its kin by Intel's numbers, which KVM adds to AMD's own in 8000_0008. */
#define STRUCTURED_EDX   (B(4) | B(8) | B(14) | B(28))
#define STRUCTURED_1_EAX (B(4) | B(5) | R(10, 12) | B(23))
#define STRUCTURED_1_EDX (B(4) | B(5) | B(14))

/* Not: IBS (10) and LWP (15), which tell of L0 or write memory; SKINIT (12), WDT (13), the
 * counters of the northbridge and of the last cache (24, 28), which count L0's accesses, too. */
#define EXTENDED_ECX                                                                               \
	(R(0, 9) | B(11) | B(16) | B(17) | B(19) | B(21) | B(22) | B(23) | B(26) | B(27) | B(29) | \
	 B(30))
#define EXTENDED_EDX (R(0, 9) | R(11, 17) | R(19, 20) | R(22, 27) | R(29, 31))

/* Not: IRPERF (1), which counts L0's instructions, INVLPGB (3, 21), branch sampling (31). IBRS and
 * how it is used (14, 16, 18) are left to ibrs(). */
#define SIZES_EBX (B(0) | B(2) | B(4) | B(6) | B(8) | B(9) | R(12, 19) | B(20) | R(23, 30))
#define SIZES_EDX 0xffff0000u /* RDPRU's registers, not INVLPGB's pages */

/* Not: locks of SMM's page tables (3), "there is no SMM_CTL" (9: L0 has one), CPUID that faults
 * (17), ERAPS (24). */
#define EXTENDED_2_EAX (R(0, 2) | R(6, 8) | B(10) | B(11) | B(13) | R(18, 20) | R(27, 31))

/* What passes, in subleaf 0 of LEAF_STRUCTURED and in all of others; other leaves read as zeros. */
static const struct cpuid_regs basic_list[] = {
	[0x00] = {ALL, ALL, ALL, ALL},
	[0x01] = {ALL, ALL, FEATURES_ECX, FEATURES_EDX},
	[0x05] = {ALL, ALL, R(0, 1), ALL},
	[0x06] = {B(2), 0, B(0), 0},
	[0x07] = {ALL, STRUCTURED_EBX, STRUCTURED_ECX, STRUCTURED_EDX},
	[0x0b] = {ALL, ALL, ALL, ALL},
	[0x0d] = {ALL, ALL, ALL, ALL},
	[0x0f] = {ALL, ALL, ALL, ALL},
	[0x10] = {ALL, ALL, ALL, ALL},
};

static const struct cpuid_regs extended_list[] = {
	[0x00] = {ALL, ALL, ALL, ALL},
	[0x01] = {ALL, ALL, EXTENDED_ECX, EXTENDED_EDX},
	[0x02] = {ALL, ALL, ALL, ALL},
	[0x03] = {ALL, ALL, ALL, ALL},
	[0x04] = {ALL, ALL, ALL, ALL},
	[0x05] = {ALL, ALL, ALL, ALL},
	[0x06] = {ALL, ALL, ALL, ALL},
	[0x07] = {0, R(0, 3), ALL, R(0, 10) | R(12, 14)},
	[0x08] = {0xffffff, SIZES_EBX, ALL, SIZES_EDX},
	[0x0a] = {ALL, ALL, ALL, ALL},
	[0x19] = {ALL, ALL, 0, 0},
	[0x1a] = {R(0, 2), 0, 0, 0},
	[0x1d] = {ALL, ALL, ALL, ALL},
	[0x1e] = {ALL, ALL, ALL, 0},
	[0x20] = {ALL, ALL, ALL, ALL},
	[0x21] = {EXTENDED_2_EAX, 0, R(1, 2), 0},
	[0x22] = {B(0), R(0, 3), 0, 0},
	[0x26] = {ALL, ALL, ALL, ALL},
};

#define COUNT(table)  (sizeof(table) / sizeof(*(table)))
#define EXTENDED_BASE 0x80000000u

/* The same, without what is hidden. */
static struct cpuid_regs basic[COUNT(basic_list)], extended[COUNT(extended_list)];

/* What L0 does not virtualize where it shadows L1's own paging (svm/shadowed/paging.h). */
static const struct cpuid_bit only_with_npt[] = {
	{LEAF_FEATURES, 'c', 17},   /* PCID */
	{LEAF_STRUCTURED, 'b', 10}, /* INVPCID */
	{LEAF_STRUCTURED, 'c', 3},  /* protection keys */
	{LEAF_STRUCTURED, 'c', 7},  /* shadow stacks */
	{LEAF_STRUCTURED, 'c', 31}, /* protection keys of supervisors */
	{LEAF_EXTENDED_2, 'a', 7},  /* tags in addresses */
};

static const struct cpuid_bit long_mode = {LEAF_EXTENDED, 'd', 29};

static uint32_t *reg_of(struct cpuid_regs *r, char reg)
{
	switch (reg) {
	case 'a':
		return &r->eax;
	case 'b':
		return &r->ebx;
	case 'c':
		return &r->ecx;
	default:
		return &r->edx;
	}
}

static bool is_set(struct cpuid_regs r, const struct cpuid_bit *bit)
{
	return *reg_of(&r, bit->reg) >> bit->bit & 1;
}

/*
 * The first leaf of each range, which says what the last one is: the same on every processor. L1
 * asks for it often, as CPUID serializes, and each CPUID of L0's is an exit to a hypervisor below.
 */
static struct cpuid_regs first_basic, first_extended;

static struct cpuid_regs *row_of(uint32_t leaf)
{
	uint32_t number = leaf & ~EXTENDED_BASE;

	if (leaf & EXTENDED_BASE)
		return number < COUNT(extended) ? &extended[number] : NULL;
	return number < COUNT(basic) ? &basic[number] : NULL;
}

void cpuid_hide(const struct cpuid_bit *bit)
{
	*reg_of(row_of(bit->leaf), bit->reg) &= ~B(bit->bit);
}

void cpuid_init(void)
{
	first_basic = cpuid(0, 0);
	first_extended = cpuid(EXTENDED_BASE, 0);
	memcpy(basic, basic_list, sizeof(basic));
	memcpy(extended, extended_list, sizeof(extended));
	for (unsigned int i = 0; !features.npt && i < COUNT(only_with_npt); i++)
		cpuid_hide(&only_with_npt[i]);
	if (PHYS_BITS_MOST < 64)
		cpuid_hide(&long_mode); /* a PAE host runs 32-bit guests only */
}

struct cpuid_regs cpuid_real(uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_regs *first = leaf & EXTENDED_BASE ? &first_extended : &first_basic;

	if (!(leaf & ~EXTENDED_BASE))
		return *first;
	if (leaf > first->eax)
		return (struct cpuid_regs){0, 0, 0, 0};
	return cpuid(leaf, subleaf);
}

bool cpuid_has(const struct cpuid_bit *bit)
{
	return is_set(cpuid_real(bit->leaf, 0), bit);
}

bool cpuid_shows(const struct cpuid_bit *bit)
{
	return is_set(cpuid_shown(bit->leaf, 0), bit);
}

/*
 * IBRS keeps less privileged code from steering more privileged code. L1 and L2 are both guests of
 * the processor's: L1 may rely on it against L2 only where it protects within one mode, too.
 */
static void ibrs(struct cpuid_regs *r)
{
	if (!(r->ebx & B(19)))
		r->ebx &= ~(B(14) | B(16) | B(18));
}

/*
 * Widths of addresses: physical, linear, a guest's physical ones if they are not the same. No LMSLE
 * in EFER (20), whatever the processor has.
 */
static void sizes(struct cpuid_regs *r)
{
	enum { WIDTH = 0xff, LINEAR_SHIFT = 8, GUEST_SHIFT = 16, LINEAR_4_LEVELS = 48 };
	uint32_t physical = features.phys_bits;
	uint32_t linear = r->eax >> LINEAR_SHIFT & WIDTH, guest = r->eax >> GUEST_SHIFT & WIDTH;

	if (!features.la57 && linear > LINEAR_4_LEVELS)
		linear = LINEAR_4_LEVELS;
	if (guest > physical)
		guest = physical;
	r->eax = physical | linear << LINEAR_SHIFT | guest << GUEST_SHIFT;
	r->ebx |= B(20);
	ibrs(r);
}

/* As many bytes as all states need that L1 may turn on. */
static uint32_t xsave_size(void)
{
	enum { LEGACY_AND_HEADER = 576, FIRST_EXTENDED = 2, STATES = 32 };
	uint32_t size = LEGACY_AND_HEADER;

	for (uint32_t i = FIRST_EXTENDED; i < STATES; i++) {
		struct cpuid_regs state;

		if (!(features.xcr0_valid >> i & 1))
			continue;
		state = cpuid(LEAF_XSAVE, i);
		if (state.eax + state.ebx > size)
			size = state.eax + state.ebx;
	}
	return size;
}

static void xsave(uint32_t subleaf, struct cpuid_regs *r)
{
	uint64_t states = features.xcr0_valid | features.xss_valid;

	if (!subleaf)
		*r = (struct cpuid_regs){(uint32_t)features.xcr0_valid, r->ebx, xsave_size(),
		                         (uint32_t)(features.xcr0_valid >> 32)};
	else if (subleaf == 1) /* XSAVEOPT, XSAVEC, XGETBV with ECX=1, XSAVES */
		*r = (struct cpuid_regs){r->eax & R(0, 3), r->ebx, (uint32_t)features.xss_valid, 0};
	else if (subleaf > 63 || !(states >> subleaf & 1))
		*r = (struct cpuid_regs){0, 0, 0, 0};
}

static struct cpuid_regs structured_more(uint32_t subleaf, struct cpuid_regs r)
{
	if (subleaf > 1)
		return (struct cpuid_regs){0, 0, 0, 0};
	return (struct cpuid_regs){r.eax & STRUCTURED_1_EAX, 0, 0, r.edx & STRUCTURED_1_EDX};
}

/* What is not a matter of single bits of the processor's. */
static void adjust(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	switch (leaf) {
	case 0:
		r->eax = r->eax < COUNT(basic) ? r->eax : (uint32_t)COUNT(basic) - 1;
		break;
	case EXTENDED_BASE:
		if (r->eax >= EXTENDED_BASE + COUNT(extended))
			r->eax = EXTENDED_BASE + (uint32_t)COUNT(extended) - 1;
		break;
	case LEAF_STRUCTURED:
		r->eax = r->eax ? 1 : 0;
		if (!features.la57) /* a 4-level NPT01 cannot serve it */
			r->ecx &= ~B(16);
		break;
	case LEAF_XSAVE:
		xsave(subleaf, r);
		break;
	case LEAF_ADDRESS_SIZES:
		sizes(r);
		break;
	case LEAF_SVM:
		*r = (struct cpuid_regs){1, features.asids - ASID_SHIFT, 0, features.shown};
		break;
	case LEAF_PERFORMANCE_2:
		if (r->ebx > PERF_COUNTERS)
			r->ebx = PERF_COUNTERS;
		break;
	default:
		break;
	}
}

struct cpuid_regs cpuid_shown(uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_regs *row = row_of(leaf);
	struct cpuid_regs r = {0, 0, 0, 0};

	if (!row)
		return r;
	r = cpuid_real(leaf, subleaf);
	if (leaf == LEAF_STRUCTURED && subleaf)
		return structured_more(subleaf, r);
	r = (struct cpuid_regs){r.eax & row->eax, r.ebx & row->ebx, r.ecx & row->ecx,
	                        r.edx & row->edx};
	adjust(leaf, subleaf, &r);
	return r;
}
