/*
 * CPUID as L1 sees it, 8000_000A first, on processors with any set of SVM features, with what has
 * been tried and with all (svm=tried, svm=all): svm/features.c, svm/cpuid_list.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"
#include "tests/unit/fake_cpuid.h"

#define cpuid fake_cpuid
#include "svm/emulate/cpuid.c"

/* What L0 does for L2s; by number, as the manual has it (APM vol. 3, appendix E). */
#define TRIED   0x10010449u /* NP, nRIP, flush by ASID, pause filter, vGIF, address check */
#define UNTRIED 0x000010a2u /* LBR, clean bits, decode assists, pause filter threshold */

enum { ASIDS = 64, PHYS_BITS = 40, LENGTH = 2, RIP = 0x1234 };

static struct vcpu vcpu;
static struct vmcb vmcb;

void strict_check_length(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
}

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	static const struct instruction instruction = {.length = LENGTH};

	(void)exit_code;
	assert_ptr_equal(of, &vcpu);
	return &instruction;
}

void raise_step(struct vcpu *of)
{
	(void)of;
	fail();
}

void not_decoded(struct vcpu *of)
{
	(void)of;
}

unsigned int vcpu_count(void)
{
	return 3;
}

static void choose(bool npt, bool untried, bool la57)
{
	features_init(&(struct feature_choice){.npt = npt, .untried = untried, .la57 = la57});
}

/* L1's CPUID; upper halves of its registers are not looked at. */
static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf)
{
	vcpu.vmcb = &vmcb;
	vmcb.save.rax = 0xffffffff00000000 | leaf;
	vcpu.gpr[GPR_RCX] = 0xffffffff00000000 | subleaf;
	vmcb.save.rip = RIP;
	vmcb.control.next_rip = RIP + LENGTH;
	emulate_cpuid(&vcpu);
	assert_int_equal(vmcb.save.rip, RIP + LENGTH);
	assert_int_equal(
		(vmcb.save.rax | vcpu.gpr[GPR_RBX] | vcpu.gpr[GPR_RCX] | vcpu.gpr[GPR_RDX]) >> 32,
		0);
	return (struct cpuid_regs){(uint32_t)vmcb.save.rax, (uint32_t)vcpu.gpr[GPR_RBX],
	                           (uint32_t)vcpu.gpr[GPR_RCX], (uint32_t)vcpu.gpr[GPR_RDX]};
}

static void assert_svm(uint32_t asids, uint32_t shown)
{
	struct cpuid_regs r = ask(0x8000000a, 0);

	assert_int_equal(r.eax, 1);
	assert_int_equal(r.ebx, asids);
	assert_int_equal(r.ecx, 0);
	assert_int_equal(r.edx, shown);
}

/* Each feature alone, none and all. */
static void what_l1_is_shown_of_svm(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit <= 33; bit++) {
		uint32_t svm = bit < 32 ? 1u << bit : bit == 32 ? 0 : ~0u;

		fake_processor(svm, ASIDS, PHYS_BITS);
		choose(true, false, false);
		assert_svm(ASIDS - 1, svm & TRIED);
		assert_int_equal(features.svm, svm);
		choose(true, true, false);
		assert_svm(ASIDS - 1, svm & (TRIED | UNTRIED));
		choose(false, false, false); /* npt=off */
		assert_svm(ASIDS - 1, svm & TRIED & ~SVM_FEATURE_NP);
		choose(false, true, false);
		assert_svm(ASIDS - 1, svm & (TRIED | UNTRIED) & ~SVM_FEATURE_NP);
	}
}

/* EDX of emulators and processors, and what becomes of it. */
static void processors_there_are(void **state)
{
	static const struct {
		uint32_t asids, svm, tried, all;
	} rows[] = {
		{64, 0x00000000, 0x00000000, 0x00000000},     /* the first ones */
		{64, 0x0000000f, 0x00000009, 0x0000000b},     /* NP, LBR, SVM lock, nRIP */
		{16, 0x10010001, 0x10010001, 0x10010001},     /* QEMU's own emulation */
		{0x8000, 0x0000044f, 0x00000449, 0x0000044b}, /* Bochs */
		{0x8000, 0x0001bcff, 0x00010449, 0x000114eb}, /* with AVIC and virtual VMLOAD */
		{0x8000, 0x1ebfbcff, 0x10010449, 0x100114eb}, /* with SPEC_CTRL, vNMI, x2AVIC */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_processor(rows[i].svm, rows[i].asids, PHYS_BITS);
		choose(true, false, false);
		assert_svm(rows[i].asids - 1, rows[i].tried);
		choose(true, true, false);
		assert_svm(rows[i].asids - 1, rows[i].all);
	}
}

/* What nested VMRUNs may have follows what is shown. */
static void what_follows(void **state)
{
	const uint64_t gif = INT_CTL_V_GIF | INT_CTL_V_GIF_ENABLE;

	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint32_t svm = 1u << bit % 32;
		bool untried = bit / 32;
		bool moved = untried && (svm & (SVM_FEATURE_LBR | SVM_FEATURE_DECODE));

		fake_processor(svm, ASIDS, PHYS_BITS);
		choose(true, untried, false);
		assert_int_equal(features.int_ctl & gif, svm == SVM_FEATURE_VGIF ? gif : 0);
		assert_int_equal(features.int_ctl & ~gif, 0xff011f01ffull);
		assert_int_equal(features.extensions, moved || svm == SVM_FEATURE_SPEC_CTRL);
	}
	fake_processor(0, ASIDS, PHYS_BITS);
	fake_leaves[FAKE_STRUCTURED].ecx = 1 << 7;
	choose(true, false, false);
	assert_true(features.extensions); /* shadow stacks */
}

/* No processor that has fewer leaves is asked for them. */
static void leaves_beyond_the_last(void **state)
{
	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_leaves[FAKE_EXTENDED_2].eax = 1 << 7;
	choose(true, false, false);
	assert_true(features.efer_valid & EFER_UAIE);
	fake_last_extended = 0x8000000a;
	choose(true, false, false);
	assert_false(features.efer_valid & EFER_UAIE);
	fake_last_extended = 0x80000021;
}

static void assert_width(unsigned int bits, unsigned int guests)
{
	assert_int_equal(features.phys_bits, bits);
	assert_int_equal(features.not_pages, ~0ull << bits | 0xfff);
	assert_int_equal(ask(0x80000008, 0).eax, guests << 16 | 0x3000 | bits);
}

/*
 * Where the firmware has enabled memory encryption L1 has the address bits that are left, by
 * number: C-bit, reduction, width; APM vol. 2, section 7.10.1.
 */
static void encryption_takes_address_bits(void **state)
{
	static const struct {
		unsigned int c_bit, fewer, phys, left;
	} rows[] = {{47, 5, 48, 43},
	            {51, 5, 48, 43},
	            {51, 0, 52, 51},
	            {47, 1, 48, 47},
	            {51, 6, 52, 46}};

	(void)state;
	fake_has_syscfg = true;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_processor(0, ASIDS, (uint8_t)rows[i].phys);
		fake_leaves[FAKE_ENCRYPTION].eax = 1;
		fake_leaves[FAKE_ENCRYPTION].ebx = rows[i].fewer << 6 | rows[i].c_bit;
		fake_syscfg = ~(uint64_t)SYSCFG_MEM_ENCRYPT;
		choose(true, false, true);
		assert_width(rows[i].phys, 0);
		fake_syscfg = SYSCFG_MEM_ENCRYPT;
		choose(true, false, true);
		assert_width(rows[i].left, 0);
		fake_last_extended = 0x8000000a; /* a bit of an older processor's */
		choose(true, false, true);
		assert_width(rows[i].phys, 0);
		fake_last_extended = 0x80000021;
	}
	fake_has_syscfg = false;
}

/* Tables of 4 levels map 48 bits; what guests may have is never more than there is. */
static void levels_limit_address_bits(void **state)
{
	(void)state;
	fake_processor(0, ASIDS, 52);
	fake_leaves[FAKE_ADDRESS_SIZES].eax |= 52 << 16;
	choose(true, false, false);
	assert_width(48, 48);
	assert_int_equal(features.address_bits, 52);
	choose(true, false, true);
	assert_width(52, 52);
	fake_leaves[FAKE_ADDRESS_SIZES].eax = 0x3000 | 47 << 16 | 52;
	choose(true, false, false);
	assert_width(48, 47);
}

/* APM vol. 3, CPUID Fn0000_0001: the extended family counts where the other one is 15. */
static void families(void **state)
{
	static const struct {
		uint32_t signature, family;
	} rows[] = {{0x00000f51, 0xf},  {0x00100f43, 0x10}, {0x00800f12, 0x17},
	            {0x00a20f10, 0x19}, {0x00b40f40, 0x1a}, {0x00100643, 6}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fake_processor(0, ASIDS, PHYS_BITS);
		fake_leaves[FAKE_FEATURES].eax = rows[i].signature;
		choose(true, false, false);
		assert_int_equal(features.family, rows[i].family);
	}
}

/* Bits that mirror the guest's own CR4; that there is a hypervisor. */
static void bits_that_mirror(void **state)
{
	(void)state;
	fake_processor(0, ASIDS, PHYS_BITS);
	choose(true, false, false);
	vmcb.save.cr4 = 0;
	assert_int_equal(ask(1, 0).ecx, 1u << 31);
	vmcb.save.cr4 = CR4_OSXSAVE | CR4_PKE;
	assert_int_equal(ask(1, 0).ecx, 1u << 31 | 1u << 27);
	assert_int_equal(ask(7, 0).ecx, 1u << 4);
	assert_int_equal(ask(7, 1).ecx, 0);
	vmcb.save.cr4 = 0;
}

/* What EFER refuses though CPUID has it (Bochs: TCE) is neither shown nor taken. */
static void what_efer_refuses(void **state)
{
	static const struct {
		uint64_t bit;
		struct cpuid_bit feature;
	} rows[] = {
		{EFER_SCE, {0x80000001, 'd', 11}},   {EFER_NXE, {0x80000001, 'd', 20}},
		{EFER_SVME, {0x80000001, 'c', 2}},   {EFER_FFXSR, {0x80000001, 'd', 25}},
		{EFER_TCE, {0x80000001, 'c', 17}},   {EFER_MCOMMIT, {0x80000008, 'b', 8}},
		{EFER_INTWB, {0x80000008, 'b', 13}}, {EFER_UAIE, {0x80000021, 'a', 7}},
		{EFER_AIBRSE, {0x80000021, 'a', 8}},
	};
	enum { ROWS = sizeof(rows) / sizeof(*rows) };

	(void)state;
	for (unsigned int i = 0; i < 2 * ROWS; i++) {
		unsigned int row = i % ROWS;
		bool npt = i < ROWS, takes = npt || rows[row].bit != EFER_UAIE;

		fake_processor(0, ASIDS, PHYS_BITS);
		fake_ones = true;
		fake_efer_refused = 0;
		choose(npt, false, false);
		assert_int_equal(!!(features.efer_valid & rows[row].bit), takes);
		fake_efer_refused = rows[row].bit;
		choose(npt, false, false);
		assert_false(features.efer_valid & rows[row].bit);
		assert_true(features.efer_valid & EFER_LME);
		assert_int_equal(fake_efer, EFER_LME | EFER_LMA);
		assert_false(cpuid_shows(&rows[row].feature));
	}
	fake_efer_refused = 0;
	choose(true, false, false);
	for (unsigned int i = 0; i < ROWS; i++)
		assert_true(features.efer_valid & rows[i].bit);
	fake_ones = false;
}

/* What a processor says of its predictors, and what L0 does about them: svm/features.c. */
static void barriers(void **state)
{
	enum { IBPB = 1 << 12, AUTO = 1 << 8, SRSO_NO = 1 << 29, SRSO_UK_NO = 1 << 30 };
	const uint32_t msr_fix = 1u << 31;
	const struct {
		uint32_t sizes, extended_2;
		bool untrain, auto_ibrs, reduce;
	} rows[] = {
		{0, 0, false, false, false},   /* nothing can be done */
		{IBPB, 0, true, false, false}, /* Zen 1 to 3 */
		{IBPB, SRSO_NO, true, false, false},
		{IBPB, AUTO, true, true, false}, /* Zen 4: returns are steered */
		{IBPB, AUTO | SRSO_UK_NO, true, true, false},
		{IBPB, AUTO | SRSO_UK_NO | msr_fix, false, true, true}, /* Zen 5 */
		{IBPB, AUTO | SRSO_NO, false, true, false},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct feature_choice choice = {.npt = true};

		fake_processor(0, ASIDS, PHYS_BITS);
		fake_leaves[FAKE_ADDRESS_SIZES].ebx = rows[i].sizes;
		fake_leaves[FAKE_EXTENDED_2].eax = rows[i].extended_2;
		features_init(&choice);
		assert_int_equal(features.untrain, rows[i].untrain);
		assert_int_equal(features.auto_ibrs, rows[i].auto_ibrs);
		assert_int_equal(features.spec_reduce, rows[i].reduce);
		choice.barriers = BARRIERS_OFF;
		features_init(&choice);
		assert_false(features.untrain || features.auto_ibrs || features.spec_reduce);
		choice.barriers = BARRIERS_ON;
		for (int takes = 0; takes < 2; takes++) {
			fake_has_pred_cmd = takes;
			features_init(&choice);
			assert_int_equal(features.untrain, takes);
		}
		fake_has_pred_cmd = false;
	}
}

static void leaves_of_nestlings(void **state)
{
	struct cpuid_regs r;

	(void)state;
	fake_processor(0, ASIDS, PHYS_BITS);
	/* QEMU's own emulation below: it has leaves there, too. */
	fake_leaves[FAKE_HYPERVISOR] =
		(struct cpuid_regs){0x40000001, 0x54474354, 0x43544743, 0x47435447};
	choose(true, false, false);
	assert_true(features.tcg);
	r = ask(0x40000000, 0);
	assert_int_equal(r.eax, 0x40000002);
	assert_memory_equal(&r.ebx, "NestlingNest", 12);
	r = ask(0x40000001, 0);
	assert_int_equal(r.eax, 1);
	assert_int_equal(r.ebx, QUIRKS_TCG);
	assert_int_equal(ask(0x40000002, 0).ecx, 3);
	assert_int_equal(ask(0x40000003, 0).eax, 0);
	assert_int_equal(ask(0x400000ff, 0).eax, 0);
	assert_int_equal(ask(0x40000010, 0).eax, 0);
	features.tsc_khz = 2345678;
	assert_int_equal(ask(0x40000000, 0).eax, 0x40000010);
	assert_int_equal(ask(0x40000010, 0).eax, 2345678);
	features.tsc_khz = 0;
}

/* Untried, and nothing without nested paging to lead the address. */
static void virtual_vmload(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		bool there = i & 1, npt = i & 2, untried = i & 4;

		fake_processor(there ? SVM_FEATURE_VMLOAD_VMSAVE : ~SVM_FEATURE_VMLOAD_VMSAVE,
		               ASIDS, PHYS_BITS);
		choose(npt, untried, false);
		assert_int_equal(features.virtual_vmload, there && npt && untried);
		assert_false(features.shown & SVM_FEATURE_VMLOAD_VMSAVE);
	}
}

/* Models whose machines are reset by it: family 19h, 18h to 1Fh and 60h to 7Fh. */
static void no_virtual_vmload_there(void **state)
{
	static const struct {
		uint32_t signature;
		bool used;
	} rows[] = {
		{0x00a10f11, true},  {0x00a10f80, false}, {0x00a10ff2, false}, {0x00a50ff0, true},
		{0x00a60f00, false}, {0x00a70ff0, false}, {0x00a80f00, true},  {0x00b60f00, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_processor(SVM_FEATURE_VMLOAD_VMSAVE, ASIDS, PHYS_BITS);
		fake_leaves[FAKE_FEATURES].eax = rows[i].signature;
		choose(true, true, false);
		assert_int_equal(features.virtual_vmload, rows[i].used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_virtual_vmload_there),
		cmocka_unit_test(what_l1_is_shown_of_svm),
		cmocka_unit_test(processors_there_are),
		cmocka_unit_test(what_follows),
		cmocka_unit_test(leaves_beyond_the_last),
		cmocka_unit_test(encryption_takes_address_bits),
		cmocka_unit_test(levels_limit_address_bits),
		cmocka_unit_test(families),
		cmocka_unit_test(bits_that_mirror),
		cmocka_unit_test(what_efer_refuses),
		cmocka_unit_test(barriers),
		cmocka_unit_test(leaves_of_nestlings),
		cmocka_unit_test(virtual_vmload),
	};

	return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
