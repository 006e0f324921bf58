/*
 * svm/cpuid_list.c and svm/features.c: on a processor whose CPUID is all ones nothing shows
 * that is not in the list below; and for every feature alone, what CPUID shows and what CR4, EFER,
 * XCR0 and XSS take agree. Relies on tests/unit/fake_cpuid.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/cpuid.h"
#include "tests/unit/fake_cpuid.h"

enum { ASIDS = 64, PHYS_BITS = 40 };

static void choose(bool npt, bool la57)
{
	features_init(&(struct feature_choice){.npt = npt, .la57 = la57});
}

static uint32_t reg_of(struct cpuid_regs r, char reg)
{
	return reg == 'a' ? r.eax : reg == 'b' ? r.ebx : reg == 'c' ? r.ecx : r.edx;
}

/* "0 3-5": bits 0, 3, 4 and 5. */
static uint32_t bits_of(const char *text)
{
	uint32_t bits = 0;
	char *end;

	while (*text) {
		unsigned long from = strtoul(text, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (unsigned long i = from; i <= to; i++)
			bits |= 1u << i;
		text = end + (*end == ' ');
	}
	return bits;
}

/* By number, from APM vol. 3, appendix E; with npt=on and 5 levels. */
static const struct {
	uint32_t leaf, subleaf;
	char reg;
	const char *bits;
} shown[] = {
	{1, 0, 'c', "0-1 3 9 12-13 17 19-30"},
	{1, 0, 'd', "0-9 11-17 19 23-26 28"},
	{6, 0, 'a', "2"},
	{6, 0, 'b', ""},
	{6, 0, 'c', "0"},
	{6, 0, 'd', ""},
	{7, 0, 'b', "0-1 3 5 7-10 12 14-21 23-24 28-31"},
	{7, 0, 'c', "1-4 6-12 14 16 22 27-28 31"},
	{7, 0, 'd', "4 8 14 28"},
	{7, 1, 'a', "4-5 10-12 23"},
	{7, 1, 'b', ""},
	{7, 1, 'd', "4-5 14"},
	{7, 2, 'a', ""},
	{0xd, 0, 'a', "0-7 9"},
	{0xd, 0, 'd', ""},
	{0xd, 1, 'a', "0-3"},
	{0xd, 1, 'c', "11-12"},
	{0xd, 8, 'a', ""},  /* processor trace */
	{0xd, 17, 'a', ""}, /* AMX */
	{0xd, 62, 'a', ""}, /* LWP */
	{0x80000001, 0, 'c', "0-9 11 16-17 19 21-23 26-27 29-30"},
	{0x80000001, 0, 'd', "0-9 11-17 19-20 22-27 29-31"},
	{0x80000007, 0, 'a', ""},
	{0x80000007, 0, 'b', "0-3"},
	{0x80000007, 0, 'd', "0-10 12-14"},
	{0x80000008, 0, 'b', "0 2 4 6 8-9 12-20 23-30"},
	{0x80000008, 0, 'd', "16-31"},
	{0x8000001b, 0, 'a', ""}, /* IBS */
	{0x8000001c, 0, 'a', ""}, /* LWP */
	{0x8000001f, 0, 'a', ""}, /* memory encryption */
	{0x8000001f, 0, 'b', ""},
	{0x80000021, 0, 'a', "0-2 6-8 10-11 13 18-20 27-31"},
	{0x80000021, 0, 'b', ""},
	{0x80000021, 0, 'c', "1-2"},
	{0x80000022, 0, 'a', "0"},
	{0x80000022, 0, 'b', "1-2"}, /* 6 counters */
	{0x80000022, 0, 'c', ""},
};

static void only_the_list_shows(void **state)
{
	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_ones = true;
	choose(true, true);
	assert_int_equal(cpuid_shown(0, 0).eax, 0x10);
	assert_int_equal(cpuid_shown(0x80000000, 0).eax, 0x80000026);
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		uint32_t is = reg_of(cpuid_shown(shown[i].leaf, shown[i].subleaf), shown[i].reg);

		if (is != bits_of(shown[i].bits))
			fail_msg("%x.%x %c: %x, not %x", shown[i].leaf, shown[i].subleaf,
			         shown[i].reg, is, bits_of(shown[i].bits));
	}
}

/* Leaves that the list has not: those that Intel has, those to come, those of other makers. */
static void other_leaves_are_zeros(void **state)
{
	static const uint32_t known[] = {
		0,          1,          5,          6,          7,          0xb,        0xd,
		0xf,        0x10,       0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004,
		0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000000a, 0x80000019, 0x8000001a,
		0x8000001d, 0x8000001e, 0x80000020, 0x80000021, 0x80000022, 0x80000026};
	unsigned int next = 0;

	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_ones = true;
	choose(true, true);
	for (uint64_t leaf = 0; leaf < 0x100000000; leaf++) {
		struct cpuid_regs r = cpuid_shown((uint32_t)leaf, 0);
		bool any = r.eax | r.ebx | r.ecx | r.edx;

		if (next < sizeof(known) / sizeof(*known) && leaf == known[next]) {
			assert_true(any);
			next++;
		} else if (any) {
			fail_msg("leaf %llx shows", (unsigned long long)leaf);
		}
		if ((leaf & 0xffff) == 0x1ff) /* the first leaves of each of 16 kinds */
			leaf |= 0xfffffff;
	}
	assert_int_equal(next, sizeof(known) / sizeof(*known));
}

/* What takes the bits of a register: each with the features any of which allows it. */
struct bit_of_register {
	uint64_t bit;
	struct cpuid_bit feature;
};

static const struct bit_of_register cr4[] = {
	{1u << 0, {1, 'd', 1}},   /* VME */
	{1u << 1, {1, 'd', 1}},   /* PVI */
	{1u << 2, {1, 'd', 4}},   /* TSD */
	{1u << 3, {1, 'd', 2}},   /* DE */
	{1u << 4, {1, 'd', 3}},   /* PSE */
	{1u << 5, {1, 'd', 6}},   /* PAE */
	{1u << 6, {1, 'd', 7}},   /* MCE */
	{1u << 7, {1, 'd', 13}},  /* PGE */
	{1u << 9, {1, 'd', 24}},  /* OSFXSR */
	{1u << 10, {1, 'd', 25}}, /* OSXMMEXCPT */
	{1u << 11, {7, 'c', 2}},  /* UMIP */
	{1u << 12, {7, 'c', 16}}, /* LA57 */
	{1u << 16, {7, 'b', 0}},  /* FSGSBASE */
	{1u << 17, {1, 'c', 17}}, /* PCIDE */
	{1u << 18, {1, 'c', 26}}, /* OSXSAVE */
	{1u << 20, {7, 'b', 7}},  /* SMEP */
	{1u << 21, {7, 'b', 20}}, /* SMAP */
	{1u << 22, {7, 'c', 3}},  /* PKE */
	{1u << 23, {7, 'c', 7}},  /* CET */
	{1u << 24, {7, 'c', 31}}, /* PKS */
};

static const struct bit_of_register efer[] = {
	{1u << 0, {0x80000001, 'd', 11}},  /* SCE */
	{1u << 8, {0x80000001, 'd', 29}},  /* LME */
	{1u << 10, {0x80000001, 'd', 29}}, /* LMA */
	{1u << 11, {0x80000001, 'd', 20}}, /* NXE */
	{1u << 12, {0x80000001, 'c', 2}},  /* SVME */
	{1u << 14, {0x80000001, 'd', 25}}, /* FFXSR */
	{1u << 15, {0x80000001, 'c', 17}}, /* TCE */
	{1u << 17, {0x80000008, 'b', 8}},  /* MCOMMIT */
	{1u << 18, {0x80000008, 'b', 13}}, /* INTWB */
	{1u << 20, {0x80000021, 'a', 7}},  /* UAIE */
	{1u << 21, {0x80000021, 'a', 8}},  /* AIBRSE */
};

static const struct bit_of_register xcr0[] = {
	{1u << 0, {1, 'c', 26}}, {1u << 1, {1, 'c', 26}}, {1u << 2, {1, 'c', 28}},
	{1u << 3, {7, 'b', 14}}, {1u << 4, {7, 'b', 14}}, {1u << 5, {7, 'b', 16}},
	{1u << 6, {7, 'b', 16}}, {1u << 7, {7, 'b', 16}}, {1u << 9, {7, 'c', 3}},
};

static const struct bit_of_register xss[] = {
	{1u << 11, {7, 'c', 7}},
	{1u << 12, {7, 'c', 7}},
};

static void walk(const char *name, uint64_t valid, const struct bit_of_register *bits, size_t count)
{
	for (unsigned int i = 0; i < 64; i++) {
		bool shows = false;

		for (size_t j = 0; j < count; j++) {
			const struct cpuid_bit *by = &bits[j].feature;

			if (bits[j].bit == 1ull << i)
				shows = reg_of(cpuid_shown(by->leaf, 0), by->reg) >> by->bit & 1;
		}
		if ((valid >> i & 1) != shows)
			fail_msg("%s bit %u: %u, and CPUID says %u", name, i,
			         (unsigned int)(valid >> i & 1), shows);
	}
}

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void walk_all(void)
{
	struct cpuid_regs states = cpuid_shown(0xd, 0), more = cpuid_shown(0xd, 1);

	walk("CR4", features.cr4_valid & ~(1ull << 8), cr4, COUNT(cr4)); /* PCE has no feature */
	assert_true(features.cr4_valid & 1 << 8);
	walk("EFER", features.efer_valid, efer, COUNT(efer));
	assert_true(!(features.efer_valid & EFER_LMSLE)); /* which CPUID denies */
	assert_true(cpuid_shown(0x80000008, 0).ebx & 1 << 20);
	walk("XCR0", features.xcr0_valid, xcr0, COUNT(xcr0));
	walk("XSS", features.xss_valid, xss, COUNT(xss));
	assert_int_equal(states.eax | (uint64_t)states.edx << 32, features.xcr0_valid);
	assert_int_equal(more.ecx, features.xss_valid);
}

/* One processor: paging as L0 can have it there. */
static void walk_choices(void)
{
	bool has_la57 = fake_ones || (fake_leaves[FAKE_STRUCTURED].ecx & 1 << 16);

	for (unsigned int i = 0; i < 4; i++) {
		if ((i & 2) && !has_la57)
			continue;
		choose(i & 1, i & 2);
		walk_all();
	}
}

/* Every bit of every leaf that says something of registers, alone; none; all. */
static void registers_take_what_shows(void **state)
{
	static const enum fake_leaf leaves[] = {FAKE_FEATURES, FAKE_STRUCTURED, FAKE_EXTENDED,
	                                        FAKE_ADDRESS_SIZES, FAKE_EXTENDED_2};

	(void)state;
	for (size_t i = 0; i < COUNT(leaves); i++) {
		for (unsigned int bit = 0; bit < 128; bit++) {
			fake_processor(~0u, ASIDS, PHYS_BITS);
			memset(fake_leaves, 0, sizeof(fake_leaves));
			fake_leaves[FAKE_ADDRESS_SIZES].eax = 0x3000 | PHYS_BITS;
			fake_leaves[FAKE_XSAVE].eax = fake_leaves[FAKE_XSAVE].edx = ~0u;
			fake_leaves[FAKE_XSAVE_1].ecx = ~0u;
			((uint32_t *)&fake_leaves[leaves[i]])[bit / 32] |= 1u << bit % 32;
			walk_choices();
		}
	}
	fake_processor(0, ASIDS, PHYS_BITS);
	walk_choices();
	fake_ones = true;
	walk_choices();
}

/* With npt=off; with la57=off. */
static void what_paging_takes_away(void **state)
{
	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_ones = true;
	choose(true, true);
	assert_true(features.cr4_valid & CR4_PKS);
	assert_false(features.watch_cr4);
	choose(false, true);
	assert_int_equal(cpuid_shown(1, 0).ecx & 1 << 17, 0); /* PCID */
	assert_int_equal(cpuid_shown(7, 0).ebx & 1 << 10, 0); /* INVPCID */
	assert_int_equal(cpuid_shown(7, 0).ecx & (1u << 3 | 1u << 7 | 1u << 31), 0);
	assert_int_equal(cpuid_shown(0x80000021, 0).eax & 1 << 7, 0);
	assert_int_equal(features.cr4_valid & (CR4_PKS | CR4_PKE | CR4_CET | CR4_PCIDE), 0);
	assert_int_equal(features.xcr0_valid & XCR0_PKRU, 0);
	assert_int_equal(cpuid_shown(0xd, 9).eax, 0);
	choose(true, false);
	assert_int_equal(features.cr4_valid & CR4_LA57, 0);
	assert_true(features.watch_cr4); /* the processor would take LA57 */
	assert_true(features.watch_xcr0);
	assert_int_equal(cpuid_shown(7, 0).ecx & 1 << 16, 0);
}

/* A processor of 52 physical bits and 5 levels. */
static void widths_of_addresses(void **state)
{
	static const struct {
		bool npt, la57;
		uint32_t widths;
	} rows[] = {
		{true, true, 57 << 8 | 52},
		{true, false, 48 << 8 | 48}, /* 4 levels */
		{false, true, 57 << 8 | 52},
		{false, false, 48 << 8 | 48},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		fake_processor(~0u, ASIDS, PHYS_BITS);
		fake_leaves[FAKE_ADDRESS_SIZES].eax = 52 << 16 | 57 << 8 | 52;
		choose(rows[i].npt, rows[i].la57);
		assert_int_equal(cpuid_shown(0x80000008, 0).eax,
		                 rows[i].widths | features.phys_bits << 16);
		assert_int_equal(features.phys_bits, rows[i].widths & 0xff);
	}
	fake_processor(~0u, ASIDS, PHYS_BITS);
	choose(true, false);
	assert_int_equal(cpuid_shown(0x80000008, 0).eax, 48 << 8 | PHYS_BITS);
}

/* IBRS only where it protects within one mode: L1 and L2 are both guests. */
static void ibrs_shows_where_it_protects(void **state)
{
	const uint32_t kinds = 1u << 14 | 1u << 16 | 1u << 18;

	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_leaves[FAKE_ADDRESS_SIZES].ebx = kinds | 1u << 12 | 1u << 15;
	choose(true, false);
	assert_int_equal(cpuid_shown(0x80000008, 0).ebx, 1u << 12 | 1u << 15 | 1u << 20);
	fake_leaves[FAKE_ADDRESS_SIZES].ebx |= 1u << 19;
	assert_int_equal(cpuid_shown(0x80000008, 0).ebx & kinds, kinds);
}

/* Below may be a hypervisor, to which each CPUID is an exit: what is the same for ever is kept. */
static void first_leaves_are_asked_for_once(void **state)
{
	static const uint32_t first[] = {0, 0x80000000};
	struct cpuid_regs was[COUNT(first)];

	(void)state;
	fake_processor(~0u, ASIDS, PHYS_BITS);
	choose(true, false);
	for (size_t i = 0; i < COUNT(first); i++)
		was[i] = cpuid_shown(first[i], 0);
	fake_ones = true;
	for (size_t i = 0; i < COUNT(first); i++) {
		struct cpuid_regs r = cpuid_shown(first[i], 0);

		assert_memory_equal(&r, &was[i], sizeof(r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_list_shows),
		cmocka_unit_test(other_leaves_are_zeros),
		cmocka_unit_test(registers_take_what_shows),
		cmocka_unit_test(what_paging_takes_away),
		cmocka_unit_test(widths_of_addresses),
		cmocka_unit_test(ibrs_shows_where_it_protects),
		cmocka_unit_test(first_leaves_are_asked_for_once),
	};

	return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}
