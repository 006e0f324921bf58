/*
 * What CPUID shows and what the registers take agree, bit by bit: CR4, EFER, XCR0, XSS. Relies on
 * try_call(); APM vol. 2, sections 3.1 and 11.5.
 */
#include "guest/svm/suite.h"

enum {
	LEAF_FEATURES = 1,
	LEAF_STRUCTURED = 7,
	LEAF_XSAVE = 0xd,
	LEAF_EXTENDED = 0x80000001,
	LEAF_SIZES = 0x80000008,
	LEAF_EXTENDED_2 = 0x80000021,
	XSAVES = 1 << 3,
	REGISTER_BITS = sizeof(long) * 8,
};

/* A bit of a register, and the feature that allows it. */
struct bit_of {
	uint32_t bit;
	uint32_t leaf;
	char reg;
	uint8_t feature;
};

static const struct bit_of cr4_bits[] = {
	{CR4_VME, LEAF_FEATURES, 'd', 1},
	{CR4_PVI, LEAF_FEATURES, 'd', 1},
	{CR4_TSD, LEAF_FEATURES, 'd', 4},
	{CR4_DE, LEAF_FEATURES, 'd', 2},
	{CR4_PSE, LEAF_FEATURES, 'd', 3},
	{CR4_MCE, LEAF_FEATURES, 'd', 7},
	{CR4_PGE, LEAF_FEATURES, 'd', 13},
	{CR4_PCE, LEAF_FEATURES, 'd', 5}, /* MSRs: there is no feature for it */
	{CR4_OSFXSR, LEAF_FEATURES, 'd', 24},
	{CR4_OSXMMEXCPT, LEAF_FEATURES, 'd', 25},
	{CR4_UMIP, LEAF_STRUCTURED, 'c', 2},
	{CR4_FSGSBASE, LEAF_STRUCTURED, 'b', 0},
	{CR4_OSXSAVE, LEAF_FEATURES, 'c', 26},
	{CR4_SMEP, LEAF_STRUCTURED, 'b', 7},
	{CR4_SMAP, LEAF_STRUCTURED, 'b', 20},
	{CR4_PKE, LEAF_STRUCTURED, 'c', 3},
	{CR4_CET, LEAF_STRUCTURED, 'c', 7},
	{CR4_PKS, LEAF_STRUCTURED, 'c', 31},
};

/* PAE and LA57 are as L1 was started; PCIDE asks for more than its feature. */
#define CR4_LEFT_OUT (CR4_PAE | CR4_LA57 | CR4_PCIDE)

static const struct bit_of efer_bits[] = {
	{EFER_SCE, LEAF_EXTENDED, 'd', 11},   {EFER_NXE, LEAF_EXTENDED, 'd', 20},
	{EFER_FFXSR, LEAF_EXTENDED, 'd', 25}, {EFER_TCE, LEAF_EXTENDED, 'c', 17},
	{EFER_MCOMMIT, LEAF_SIZES, 'b', 8},   {EFER_INTWB, LEAF_SIZES, 'b', 13},
	{EFER_UAIE, LEAF_EXTENDED_2, 'a', 7}, {EFER_AIBRSE, LEAF_EXTENDED_2, 'a', 8},
};

/* LMSLE is told of by a bit that says there is none; the others are how L1 runs. */
#define EFER_LEFT_OUT (EFER_LME | EFER_LMA | EFER_SVME | EFER_LMSLE)

static uint32_t feature_word(const struct bit_of *by)
{
	uint32_t first = by->leaf & 0x80000000u;
	struct cpuid_regs r = {0, 0, 0, 0};

	if (cpuid(first, 0).eax >= by->leaf)
		r = cpuid(by->leaf, 0);
	return by->reg == 'a' ? r.eax : by->reg == 'b' ? r.ebx : by->reg == 'c' ? r.ecx : r.edx;
}

static bool shows(const struct bit_of *bits, unsigned int count, unsigned int bit)
{
	for (unsigned int i = 0; i < count; i++) {
		if (bit < 32 && bits[i].bit == 1u << bit)
			return feature_word(&bits[i]) >> bits[i].feature & 1;
	}
	return false;
}

/* Sets the bit, and takes it back at once: code and stack may be a user's to SMEP and SMAP. */
static void do_cr4(void *argument)
{
	unsigned long old = read_cr4();

	__asm__ volatile("mov %0, %%cr4\n"
	                 "mov %1, %%cr4"
	                 :
	                 : "r"(old ^ *(unsigned long *)argument), "r"(old)
	                 : "memory");
}

static void do_efer(void *argument)
{
	uint64_t old = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, old ^ *(uint64_t *)argument);
	wrmsr(MSR_EFER, old);
}

static int try_cr4_bit(unsigned int bit)
{
	unsigned long value = 1ul << bit;

	return try_call(do_cr4, &value);
}

/* #GP; none where this emulator is known not to look. */
static bool check_refused(int vector, bool known, enum emulator emulator, const char *reason)
{
	uint64_t deviating = known ? (uint64_t)-1 : VEC_GP;

	return check_known("vector", (uint64_t)(int64_t)vector, VEC_GP, deviating, emulator,
	                   reason);
}

static void cr4_refuses_others(void)
{
	bool good;

	for (unsigned int bit = 0; bit < REGISTER_BITS; bit++) {
		if (shows(cr4_bits, ARRAY_SIZE(cr4_bits), bit) ||
		    (bit < 32 && (1u << bit & CR4_LEFT_OUT)))
			continue;
		if (bit >= 32 && emulator_is(KVM))
			good = check_refused(try_cr4_bit(bit), true, KVM,
			                     "QEMU's own emulation below it looks at 32 bits");
		else
			good = check_refused(try_cr4_bit(bit), bit < 2, QEMU,
			                     "VME and PVI are not checked");
		if (!good)
			point_fail("# bit %u\n", bit);
	}
}

static void cr4(void)
{
	static const char unchecked[] = "MOV to CR4 of a reserved bit breaks the host: not tried";

	point("CR4 takes the bits that CPUID shows");
	for (unsigned int bit = 0; bit < REGISTER_BITS; bit++) {
		if (!shows(cr4_bits, ARRAY_SIZE(cr4_bits), bit))
			continue;
		if (!check("vector", (uint64_t)(int64_t)try_cr4_bit(bit), (uint64_t)-1))
			point_fail("# bit %u\n", bit);
	}

	point("CR4 takes no other bits");
	if (emulator_is(QEMU_BARE))
		point_known(QEMU_BARE, unchecked);
	else
		cr4_refuses_others();

	point("CR4.LA57 is #GP where CPUID does not show it, or in long mode");
	if (emulator_is(QEMU_BARE))
		point_known(QEMU_BARE, unchecked);
	else
		check("vector", (uint64_t)(int64_t)try_cr4_bit(12),
		      BITS64 || !machine.la57 ? VEC_GP : (uint64_t)-1);
}

static void efer(void)
{
	static const char ignored[] = "reserved bits of EFER are ignored";

	point("EFER takes the bits that CPUID shows");
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t value = 1ull << bit;

		if (!shows(efer_bits, ARRAY_SIZE(efer_bits), bit))
			continue;
		if (!check_known("vector", (uint64_t)(int64_t)try_call(do_efer, &value),
		                 (uint64_t)-1, value == EFER_TCE ? VEC_GP : (uint64_t)-1,
		                 BOCHS_BARE, "EFER.TCE is refused, though CPUID shows it"))
			point_fail("# bit %u\n", bit);
	}

	point("EFER takes no other bits");
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t value = 1ull << bit;

		if (shows(efer_bits, ARRAY_SIZE(efer_bits), bit) || (value & EFER_LEFT_OUT))
			continue;
		if (!check_refused(try_call(do_efer, &value), true, QEMU_BARE, ignored))
			point_fail("# bit %u\n", bit);
	}
}

static void do_xsetbv(void *argument)
{
	uint64_t value = *(uint64_t *)argument;

	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* XCR0 with these states, which belong together, and with what it always has. */
static void check_xcr0(uint64_t states, uint64_t shown)
{
	uint64_t value = XCR0_X87 | states;
	int vector = try_call(do_xsetbv, &value);
	bool may = !(value & ~shown);

	if (may ? !check("vector", (uint64_t)(int64_t)vector, (uint64_t)-1)
	        : !check_refused(vector, true, QEMU, "there is no intercept of XSETBV"))
		point_fail("# states %llx\n", (unsigned long long)value);
	value = XCR0_X87;
	try_call(do_xsetbv, &value);
}

static void xcr0(void)
{
	static const uint64_t together[] = {
		XCR0_SSE,
		XCR0_SSE | XCR0_AVX,
		XCR0_BNDREGS | XCR0_BNDCSR,
		XCR0_SSE | XCR0_AVX | XCR0_AVX512,
		XCR0_PKRU,
	};
	uint64_t known = 0, shown;
	struct cpuid_regs r;

	point("XCR0 takes the states that CPUID shows");
	if (!(cpuid(LEAF_FEATURES, 0).ecx & 1u << 26)) {
		point_skip("the processor has no XSAVE");
		return;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	r = cpuid(LEAF_XSAVE, 0);
	shown = r.eax | (uint64_t)r.edx << 32;
	for (unsigned int i = 0; i < ARRAY_SIZE(together); i++) {
		check_xcr0(together[i], shown);
		known |= together[i];
	}

	point("XCR0 takes no other states");
	for (unsigned int bit = 1; bit < 64; bit++) {
		if (!(known >> bit & 1))
			check_xcr0(1ull << bit, shown);
	}

	point("CPUID shows no state that needs a feature which it does not show");
	check("PKRU", !!(shown & XCR0_PKRU), cpuid(LEAF_STRUCTURED, 0).ecx >> 3 & 1);
	check("AVX", !!(shown & XCR0_AVX), cpuid(LEAF_FEATURES, 0).ecx >> 28 & 1);
	check("AVX-512", !!(shown & XCR0_AVX512), cpuid(LEAF_STRUCTURED, 0).ebx >> 16 & 1);
	write_cr4(read_cr4() & ~(unsigned long)CR4_OSXSAVE);
}

static void do_xss(void *argument)
{
	wrmsr(MSR_XSS, *(uint64_t *)argument);
}

static void xss(void)
{
	struct cpuid_regs r = {0, 0, 0, 0};
	uint64_t shown;

	point("XSS takes the states that CPUID shows, and no others");
	if (cpuid(0, 0).eax >= LEAF_XSAVE)
		r = cpuid(LEAF_XSAVE, 1);
	if (!(r.eax & XSAVES)) {
		point_skip("the processor has no XSAVES");
		return;
	}
	shown = r.ecx | (uint64_t)r.edx << 32;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t value = 1ull << bit;
		int vector = try_call(do_xss, &value);

		bool good =
			shown >> bit & 1
				? check("vector", (uint64_t)(int64_t)vector, (uint64_t)-1)
				: check_refused(vector, value & (XSS_CET_U | XSS_CET_S), BOCHS_BARE,
		                                "states of shadow stacks are taken");

		if (!good)
			point_fail("# bit %u\n", bit);
	}
	wrmsr(MSR_XSS, 0);
}

void suite_agree(void)
{
	if (tap_group("agree", "cr4"))
		cr4();
	if (tap_group("agree", "efer"))
		efer();
	if (tap_group("agree", "xcr0"))
		xcr0();
	if (tap_group("agree", "xss"))
		xss();
	point_end();
}
