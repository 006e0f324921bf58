/*
 * The other registers that say what memory is, and where addresses lead: TOM2, SYSCFG, IORRs and
 * the like.
 */
#include "tests/unit/memory_types_rig.h"

/* The default from 4 GiB to TOM2 is write-back with both bits only, and if MTRRs are on. */
static void top_of_memory_2(void **state)
{
	enum mtrr_type type;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t bits = (i & 1 ? SYSCFG_TOM2_EN : 0) | (i & 2 ? SYSCFG_TOM2_WB : 0);

		*real_msr(MSR_SYSCFG) = SYSCFG_FIX_DRAM_EN | SYSCFG_VAR_DRAM_EN | bits;
		*real_msr(MSR_TOP_MEM2) = TOM2 + 512 * MIB;
		mtrr_init(WIDTH);
		assert_int_equal(mtrr_type_of(&mtrr_real, TOM2, SIZE_1G, &type), i != 3);
		assert_true(mtrr_type_of(&mtrr_real, TOM2, SIZE_2M, &type));
		assert_int_equal(type, i == 3 ? MTRR_WB : MTRR_UC);
		assert_true(mtrr_type_of(&mtrr_real, TOM2 + 512 * MIB, SIZE_2M, &type));
		assert_int_equal(type, MTRR_UC);
		assert_true(mtrr_type_of(&mtrr_real, 3 * SIZE_1G, SIZE_1G, &type));
		assert_int_equal(type, MTRR_UC); /* below 4 GiB it has no say */
	}
	mtrr_real.base[3] = 5 * SIZE_1G | MTRR_WT;
	mtrr_real.mask[3] = (WIDTH_MASK & ~(SIZE_1G - 1)) | MTRR_MASK_VALID;
	assert_true(mtrr_type_of(&mtrr_real, 5 * SIZE_1G, SIZE_1G, &type));
	assert_int_equal(type, MTRR_WT); /* ranges come first */
	mtrr_real.def_type = MTRR_WB;
	assert_true(mtrr_type_of(&mtrr_real, 4 * SIZE_1G, SIZE_1G, &type));
	assert_int_equal(type, MTRR_UC);
}

/* Every register by number, and what is none. */
static void which_registers(void **state)
{
	(void)state;
	for (uint32_t msr = 0; msr < 0x400; msr++) {
		bool is = msr == MSR_MTRR_CAP || msr == MSR_MTRR_DEF_TYPE || is_real_fixed(msr) ||
		          (msr >= 0x200 && msr < 0x200 + 2 * VARIABLE);

		assert_int_equal(memory_msr_exits(msr), is ? MSR_READS | MSR_WRITES : 0);
	}
	*real_msr(MSR_MTRR_CAP) = 1ull << 10 | 2; /* two ranges, none fixed */
	mtrr_init(WIDTH);
	assert_true(memory_msr_exits(0x203));
	assert_false(memory_msr_exits(0x204));
	assert_false(memory_msr_exits(0x250));
	assert_false(write_l1(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_FIXED_ENABLE));
	*real_msr(MSR_MTRR_CAP) = 0xff; /* more than L0 has room for */
	mtrr_init(WIDTH);
	assert_int_equal(read_l1(MSR_MTRR_CAP), MTRR_VARIABLE_MAX);
	assert_true(memory_msr_exits(0x21f));
	assert_false(memory_msr_exits(0x220));
	has_mtrrs = false;
	mtrr_init(WIDTH);
	for (uint32_t msr = 0; msr < 0x400; msr++)
		assert_false(memory_msr_exits(msr));
	assert_true(one_type(SIZE_1G, SIZE_1G));
	assert_int_equal(type_at(SIZE_1G), -1);
}

static void two_bits_of_syscfg(void **state)
{
	uint64_t before = *real_msr(MSR_SYSCFG);

	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;

		*real_msr(MSR_SYSCFG) = before;
		assert_true(write_l1(MSR_SYSCFG, before ^ mask));
		assert_int_equal(*real_msr(MSR_SYSCFG) ^ before, bit == 18 || bit == 19 ? mask : 0);
		assert_int_equal(read_l1(MSR_SYSCFG) ^ before, bit == 18 || bit == 19 ? mask : 0);
	}
	/* Memory encryption and what belongs to it: not shown, and not switched off. */
	before |= 0xfull << 23;
	*real_msr(MSR_SYSCFG) = before;
	assert_int_equal(read_l1(MSR_SYSCFG) >> 23, 0);
	assert_true(write_l1(MSR_SYSCFG, read_l1(MSR_SYSCFG)));
	assert_int_equal(*real_msr(MSR_SYSCFG) >> 23, 0xf);
	has_syscfg = false;
	assert_false(write_l1(MSR_SYSCFG, 0));
	assert_false(memory_msr_read(&vcpus[0], MSR_SYSCFG, &before));
	assert_true(write_l1(0x268, 0)); /* no bit 19 */
}

/* None leads anything to L0's memory: the value that there is passes, and every other is refused.
 */
static void where_addresses_lead(void **state)
{
	static const uint32_t kept[] = {
		0xc0010016, 0xc0010017, 0xc0010018, 0xc0010019, /* IORRs */
		0xc001001a, 0xc001001d,                         /* TOP_MEM, TOM2 */
		0xc0010058,                                     /* MMIO configuration */
		0xc0010111, 0xc0010112, 0xc0010113,             /* SMM base, address, mask */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		uint64_t value = 0x12345000;

		assert_int_equal(memory_msr_exits(kept[i]), MSR_WRITES);
		*real_msr(kept[i]) = value;
		assert_true(write_l1(kept[i], value));
		for (unsigned int bit = 0; bit < 64; bit++)
			assert_false(write_l1(kept[i], value ^ 1ull << bit));
		assert_int_equal(*real_msr(kept[i]), value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(top_of_memory_2),
		TEST(which_registers),
		TEST(two_bits_of_syscfg),
		TEST(where_addresses_lead),
	};

	return cmocka_run_group_tests_name("memory_registers", tests, NULL, NULL);
}
