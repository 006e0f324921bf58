/*
 * MTRRs of the machine and of L1: what L1 reads back, what raises #GP, what reaches the real
 * registers, and which type its memory then has.
 */
#include "tests/unit/memory_types_rig.h"

/* The types that the firmware set, where they are, and blocks that have one. */
static void what_the_firmware_left(void **state)
{
	static const struct {
		uint64_t base, size;
		int type; /* -1: several */
	} rows[] = {
		{0, 4096, MTRR_WB},
		{0x9f000, 4096, MTRR_WB},
		{0xa0000, 4096, MTRR_UC},
		{0xbf000, 4096, MTRR_UC},
		{0xc0000, 4096, MTRR_WP},
		{0xdf000, 4096, MTRR_WP},
		{0xe0000, 4096, MTRR_WB},
		{0xff000, 4096, MTRR_WB},
		{0, 2 * MIB, -1},
		{MIB, 4096, MTRR_WB},
		{2 * MIB, 2 * MIB, MTRR_WB},
		{1ull << 30, 1 << 30, MTRR_WB},
		{2ull << 30, 1 << 30, MTRR_UC},
		{3ull << 30, 1 << 30, MTRR_UC},
		{4ull << 30, 1 << 30, MTRR_WB},
		{5ull << 30, 1 << 30, MTRR_WB},
		{6ull << 30, 1 << 30, MTRR_UC},
		{1ull << 39, 1 << 30, MTRR_UC},
	};
	enum mtrr_type type;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool one = mtrr_type_of(&mtrr_real, rows[i].base, rows[i].size, &type);

		assert_int_equal(one, rows[i].type >= 0);
		assert_true(!one || (int)type == rows[i].type);
		if (one)
			assert_int_equal(type_at(rows[i].base), -1);
	}
}

/* Each pair of types in two ranges over one another; section 7.7.3. */
static void ranges_over_one_another(void **state)
{
	static const enum mtrr_type of[] = {MTRR_UC, MTRR_WC, MTRR_WT, MTRR_WP, MTRR_WB};

	(void)state;
	for (unsigned int i = 0; i < 25; i++) {
		enum mtrr_type one = of[i % 5], other = of[i / 5], type, expected = MTRR_UC;

		mtrr_real.mask[0] = mtrr_real.mask[7] =
			(WIDTH_MASK & ~(SIZE_1G - 1)) | MTRR_MASK_VALID;
		mtrr_real.base[0] = SIZE_1G | one;
		mtrr_real.base[7] = SIZE_1G | other;
		if (one == other)
			expected = one;
		else if ((one | other) == (MTRR_WT | MTRR_WB) && one != MTRR_UC &&
		         other != MTRR_UC && one != MTRR_WC && other != MTRR_WC && one != MTRR_WP &&
		         other != MTRR_WP)
			expected = MTRR_WT;
		assert_true(mtrr_type_of(&mtrr_real, SIZE_1G, SIZE_1G, &type));
		assert_int_equal(type, expected);
		/* A part of the block. */
		mtrr_real.mask[7] = (WIDTH_MASK & ~(SIZE_2M - 1)) | MTRR_MASK_VALID;
		assert_false(mtrr_type_of(&mtrr_real, SIZE_1G, SIZE_1G, &type));
		assert_true(mtrr_type_of(&mtrr_real, SIZE_1G, SIZE_2M, &type));
		assert_true(mtrr_type_of(&mtrr_real, SIZE_1G + SIZE_2M, SIZE_2M, &type));
		assert_int_equal(type, one);
		mtrr_real.mask[7] &= ~(uint64_t)MTRR_MASK_VALID;
		assert_true(mtrr_type_of(&mtrr_real, SIZE_1G, SIZE_1G, &type));
	}
}

/* Each value of a type's byte and each bit besides. */
static void values_that_raise_gp(void **state)
{
	static const uint32_t types = 1u << 0 | 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6;

	(void)state;
	for (uint64_t type = 0; type < 256; type++) {
		bool good = type < 8 && (types >> type & 1);
		uint64_t bytes = ALL_WB & ~(0xffull << 8 * (type & 7));

		assert_int_equal(write_l1(0x204, type), good);
		assert_int_equal(write_l1(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | type), good);
		assert_int_equal(write_l1(0x250, bytes | type << 8 * (type & 7)),
		                 !(type & 0xe0) && (types >> (type & 7) & 1));
	}
	for (unsigned int bit = 8; bit < 64; bit++) {
		uint64_t value = 1ull << bit;

		assert_int_equal(write_l1(0x204, value), bit >= 12 && bit < WIDTH);
		assert_int_equal(write_l1(0x205, value), bit >= 11 && bit < WIDTH);
		assert_int_equal(write_l1(MSR_MTRR_DEF_TYPE, value), bit == 10 || bit == 11);
	}
	for (unsigned int bit = 0; bit < 11; bit++)
		assert_false(write_l1(0x205, 1ull << bit));
	assert_false(write_l1(MSR_MTRR_CAP, CAP));
	assert_int_equal(read_l1(MSR_MTRR_CAP), CAP);
	*real_msr(MSR_MTRR_CAP) = CAP & ~(1ull << 10); /* without write-combining */
	mtrr_init(WIDTH);
	assert_false(write_l1(0x204, MTRR_WC));
	assert_true(write_l1(0x204, MTRR_WB));
}

/* As Linux does, and firmware: E off, all rewritten, E on; on each processor. */
static void l1_sets_its_own(void **state)
{
	(void)state;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		work_on(cpu);
		remember_real();
		drops = flushes = 0;
		assert_true(write_l1(MSR_MTRR_DEF_TYPE, MTRR_FIXED_ENABLE));
		assert_int_equal(drops, 1);
		assert_true(flushes > 0);
		assert_int_equal(type_at(SIZE_1G), TYPE_UC_MINUS);
		assert_int_equal(type_at(3 * SIZE_1G), -1);
		assert_true(one_type(SIZE_1G, SIZE_1G));
		assert_true(write_l1(0x200, SIZE_1G | MTRR_WT));
		assert_true(write_l1(0x201, (WIDTH_MASK & ~(SIZE_2M - 1)) | MTRR_MASK_VALID));
		assert_true(write_l1(0x202, 0xe0000000 | MTRR_WC));
		assert_true(write_l1(0x203, (WIDTH_MASK & ~(SIZE_2M - 1)) | MTRR_MASK_VALID));
		assert_true(write_l1(0x250, 0x0004010506060606));
		assert_int_equal(drops, 1); /* nothing of it counts yet */
		assert_true(write_l1(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_FIXED_ENABLE | MTRR_WB));
		assert_int_equal(drops, 2);

		assert_int_equal(read_l1(0x200), SIZE_1G | MTRR_WT);
		assert_int_equal(read_l1(0x203), (WIDTH_MASK & ~(SIZE_2M - 1)) | MTRR_MASK_VALID);
		assert_int_equal(read_l1(0x250), 0x0004010506060606);
		assert_int_equal(read_l1(MSR_MTRR_DEF_TYPE),
		                 MTRR_ENABLE | MTRR_FIXED_ENABLE | MTRR_WB);
		assert_int_equal(type_at(SIZE_1G), TYPE_WT);
		assert_int_equal(type_at(SIZE_1G + SIZE_2M), -1);
		assert_int_equal(type_at(0xe0000000), TYPE_WC);
		assert_int_equal(type_at(0xf0000000), TYPE_WB); /* which it cannot be */
		assert_int_equal(type_at(0x70000), TYPE_UC_MINUS);
		assert_int_equal(type_at(0x60000), TYPE_WT);
		assert_int_equal(type_at(0x50000), TYPE_WC);
		assert_int_equal(type_at(0x4f000), TYPE_WP);
		assert_int_equal(type_at(0x3f000), -1);
		assert_false(one_type(SIZE_1G, SIZE_1G));
		assert_true(one_type(SIZE_1G, SIZE_2M));
		assert_false(one_type(0xc0000000, SIZE_1G));
		assert_real_as_before();
	}
	work_on(0);
	drops = 0;
	assert_true(write_l1(0x200, SIZE_1G | MTRR_WT));
	assert_int_equal(drops, 0); /* the same */
	assert_true(write_l1(0x200, SIZE_1G | MTRR_UC));
	assert_int_equal(drops, 1);
	assert_int_equal(type_at(SIZE_1G), TYPE_UC_MINUS);
	work_on(1);
	assert_int_equal(type_at(SIZE_1G), TYPE_WT);
}

/* What is write-combining in truth gives way to nothing but the guest's own tables. */
static void uncached_over_real_write_combining(void **state)
{
	(void)state;
	mtrr_real.base[1] = vcpus[0].mtrr.base[1] = 0xe0000000 | MTRR_WC;
	mtrr_real.mask[1] = vcpus[0].mtrr.mask[1] = (WIDTH_MASK & ~(SIZE_2M - 1)) | MTRR_MASK_VALID;
	assert_int_equal(type_at(0xe0000000), -1);
	assert_true(write_l1(0x202, 0xe0000000 | MTRR_UC));
	assert_int_equal(type_at(0xe0000000), TYPE_UC);
}

/* RdMem and WrMem are seen and written with SYSCFG[19] only, and reach the real registers. */
static void fixed_ranges_to_memory_or_the_bus(void **state)
{
	(void)state;
	assert_int_equal(vcpus[0].types_differ, false);
	assert_int_equal(read_l1(0x250), ALL_WB);
	assert_int_equal(read_l1(0x268), 0x0505050505050505);
	assert_true(write_l1(0x268, 0x0505050505050505)); /* as Linux writes what it has read */
	assert_int_equal(*real_msr(0x268), 0x1515151515151515);
	assert_int_equal(drops, 0);

	assert_true(write_l1(MSR_SYSCFG, read_l1(MSR_SYSCFG) | SYSCFG_FIX_DRAM_MOD_EN));
	assert_true(shows_dram_bits());
	assert_int_equal(read_l1(0x250), ALL_DRAM);
	assert_int_equal(read_l1(0x268), 0x1515151515151515);
	flushes = 0;
	assert_true(write_l1(0x268, 0x1e1e1e1e1e1e1e05));
	assert_true(flushes >= 2);
	assert_int_equal(read_l1(0x268), 0x1e1e1e1e1e1e1e05);
	assert_int_equal(*real_msr(0x268), 0x1d1d1d1d1d1d1d05); /* types are the firmware's */
	assert_int_equal(type_at(0xc0000), -1);
	assert_int_equal(type_at(0xc1000), TYPE_WB);
	/* Below A0000h processors begin: memory is memory there. */
	assert_true(write_l1(0x250, 0x0404040404040404));
	assert_true(write_l1(0x258, 0));
	assert_int_equal(read_l1(0x250), 0x0404040404040404);
	assert_int_equal(*real_msr(0x250), ALL_DRAM);
	assert_int_equal(*real_msr(0x258), ALL_DRAM);
	assert_true(write_l1(0x259, 0x1818181818181818));
	assert_int_equal(*real_msr(0x259), 0x1818181818181818);

	assert_true(write_l1(MSR_SYSCFG, read_l1(MSR_SYSCFG) & ~(uint64_t)SYSCFG_FIX_DRAM_MOD_EN));
	assert_int_equal(read_l1(0x268), 0x0606060606060605);
	assert_true(write_l1(0x268, 0x1e1e1e1e1e1e1e1e)); /* without effect on these bits */
	assert_int_equal(*real_msr(0x268), 0x1d1d1d1d1d1d1d05);
	assert_true(write_l1(MSR_SYSCFG, read_l1(MSR_SYSCFG) | SYSCFG_FIX_DRAM_MOD_EN));
	assert_int_equal(read_l1(0x268), 0x1e1e1e1e1e1e1e06);
	assert_int_equal(*real_msr(0x268), 0x1d1d1d1d1d1d1d05);
}

/* Firmware that set up the first processor only: L1 sees that, but L0's memory is write-back. */
static void processors_that_differ(void **state)
{
	(void)state;
	work_on(1);
	*real_msr(MSR_MTRR_DEF_TYPE) = 0;
	*real_msr(0x201) = 0;
	*real_msr(0x26f) = 0;
	fake_cr0 = CR0_PE | CR0_PG | CR0_NW;
	memory_types_init(&vcpus[1], false);
	assert_int_equal(disabled, 1);
	assert_true(flushes >= 2);
	assert_int_equal(fake_cr0, CR0_PE | CR0_PG | CR0_NW);
	for (unsigned int i = 0; real[0][i].msr; i++)
		assert_int_equal(*real_msr(real[0][i].msr), real[0][i].value);
	assert_int_equal(read_l1(MSR_MTRR_DEF_TYPE), 0);
	assert_int_equal(read_l1(0x201), 0);
	assert_int_equal(type_at(SIZE_1G), TYPE_UC_MINUS);
	work_on(0);
	assert_int_equal(type_at(SIZE_1G), -1);
	disabled = 0;
	memory_types_init(&vcpus[1], false);
	assert_int_equal(disabled, 0); /* nothing to do */
}

/* Bits that memory encryption takes are no part of what L1 finds. */
static void fewer_address_bits(void **state)
{
	(void)state;
	*real_msr(0x201) |= OUTSIDE;
	mtrr_init(WIDTH);
	memory_types_init(&vcpus[0], true);
	assert_int_equal(read_l1(0x201) & OUTSIDE, 0);
	assert_true(write_l1(0x201, read_l1(0x201)));
	assert_int_equal(type_at(SIZE_1G), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_firmware_left),
		TEST(ranges_over_one_another),
		TEST(values_that_raise_gp),
		TEST(l1_sets_its_own),
		TEST(uncached_over_real_write_combining),
		TEST(fixed_ranges_to_memory_or_the_bus),
		TEST(processors_that_differ),
		TEST(fewer_address_bits),
	};

	return cmocka_run_group_tests_name("memory_types", tests, NULL, NULL);
}
