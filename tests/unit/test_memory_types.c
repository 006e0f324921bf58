/*
 * MTRRs of the machine and of L1, and the other registers that say what memory is: what L1 reads
 * back, what raises #GP, what reaches the real registers, and which type its memory then has.
 * hv/mtrr.c, svm/memory/memory_types.c on registers that are an array. APM vol. 2, sections 7.7
 * to 7.9.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/exception.h"
#include "hv/stack.h"
#include "hv/x86.h"

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf);
static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);
static void fake_wbinvd(void);
static unsigned long fake_cr0 = CR0_PE | CR0_PG, fake_cr3;
static struct stack_base base;

#define cpuid         fake_cpuid
#define rdmsr         fake_rdmsr
#define wrmsr         fake_wrmsr
#define wbinvd        fake_wbinvd
#define read_cr0()    fake_cr0
#define write_cr0(to) (fake_cr0 = (to))
#define read_cr3()    fake_cr3
#define write_cr3(to) (fake_cr3 = (to))
#define stack_base()  (&base)
#include "hv/mtrr.c"
#include "svm/memory/memory_types.c"

enum { CPUS = 2, MSRS = 64, WIDTH = 40, VARIABLE = 8, MIB = 1 << 20 };

#define CAP        (1ull << 10 | 1ull << 8 | VARIABLE)
#define ALL_WB     0x0606060606060606ull
#define ALL_DRAM   0x1e1e1e1e1e1e1e1eull
#define WIDTH_MASK ((1ull << WIDTH) - 1)
#define TOM2       (6ull << 30)
#define OUTSIDE    (~0ull << WIDTH)

struct mmu mmu;
struct lock mmu_lock;
static struct vcpu vcpus[CPUS];
static unsigned int current; /* the processor at work */
static bool has_mtrrs, has_syscfg;
static unsigned int drops, flushes, disabled;

/* The real registers of each. */
static struct {
	uint32_t msr;
	uint64_t value;
} real[CPUS][MSRS];

static uint64_t *real_msr(uint32_t msr)
{
	unsigned int i = 0;

	while (real[current][i].msr && real[current][i].msr != msr)
		i++;
	assert_true(i + 1 < MSRS);
	real[current][i].msr = msr;
	return &real[current][i].value;
}

static bool is_real_fixed(uint32_t msr)
{
	return msr == 0x250 || msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f);
}

static bool shows_dram_bits(void)
{
	return *real_msr(MSR_SYSCFG) & SYSCFG_FIX_DRAM_MOD_EN;
}

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	return (struct cpuid_regs){.edx = leaf == 1 && has_mtrrs ? 1 << 12 : 0};
}

static uint64_t fake_rdmsr(uint32_t msr)
{
	uint64_t hidden = is_real_fixed(msr) && !shows_dram_bits() ? 0x1818181818181818 : 0;

	assert_true(has_mtrrs || msr >= MSR_SYSCFG);
	return *real_msr(msr) & ~hidden;
}

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t *at = real_msr(msr);

	assert_true(has_mtrrs || msr >= MSR_SYSCFG);
	if (msr == MSR_MTRR_DEF_TYPE)
		disabled += !(value & MTRR_ENABLE);
	if (is_real_fixed(msr) && !shows_dram_bits())
		value = (value & ~MTRR_FIXED_DRAM) | (*at & MTRR_FIXED_DRAM);
	*at = value;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	if (msr == MSR_SYSCFG && !has_syscfg)
		return false;
	*value = fake_rdmsr(msr);
	return true;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	if (msr == MSR_SYSCFG && !has_syscfg)
		return false;
	fake_wrmsr(msr, value);
	return true;
}

static void fake_wbinvd(void)
{
	flushes++;
}

void mmu_drop_leaves(struct mmu *of)
{
	assert_ptr_equal(of, &mmu);
	drops++;
}

static void work_on(unsigned int cpu)
{
	current = cpu;
	base.processor = &vcpus[cpu];
}

/* As PC firmware leaves them: 2 GiB of memory, devices below 4 GiB, memory from there to TOM2. */
static void firmware(void)
{
	*real_msr(MSR_MTRR_CAP) = CAP;
	*real_msr(MSR_SYSCFG) =
		SYSCFG_FIX_DRAM_EN | SYSCFG_VAR_DRAM_EN | SYSCFG_TOM2_EN | SYSCFG_TOM2_WB;
	*real_msr(MSR_TOP_MEM) = 2ull << 30;
	*real_msr(MSR_TOP_MEM2) = TOM2;
	*real_msr(MSR_MTRR_DEF_TYPE) = MTRR_ENABLE | MTRR_FIXED_ENABLE;
	*real_msr(0x200) = MTRR_WB;
	*real_msr(0x201) = (WIDTH_MASK & ~((2ull << 30) - 1)) | MTRR_MASK_VALID;
	*real_msr(0x250) = *real_msr(0x258) = ALL_DRAM;
	for (uint32_t msr = 0x268; msr <= 0x26f; msr++)
		*real_msr(msr) = msr < 0x26c ? 0x1515151515151515 : ALL_DRAM;
}

static int start(void **state)
{
	(void)state;
	memset(real, 0, sizeof(real));
	memset(vcpus, 0, sizeof(vcpus));
	has_mtrrs = has_syscfg = true;
	for (unsigned int cpu = CPUS; cpu-- > 0;) {
		work_on(cpu);
		firmware();
	}
	mtrr_init(WIDTH);
	memory_types_init(&vcpus[0], true);
	work_on(1);
	memory_types_init(&vcpus[1], false);
	work_on(0);
	drops = flushes = disabled = 0;
	return 0;
}

static bool write_l1(uint32_t msr, uint64_t value)
{
	assert_true(memory_msr_exits(msr) & MSR_WRITES);
	return memory_msr_write(&vcpus[current], msr, value);
}

static uint64_t read_l1(uint32_t msr)
{
	uint64_t value;

	assert_true(memory_msr_exits(msr) & MSR_READS);
	assert_true(memory_msr_read(&vcpus[current], msr, &value));
	return value;
}

/* -1: L0's page is as the guest's tables have it. */
static int type_at(uint64_t gpa)
{
	struct host_mapping mapping = {.hpa = gpa};

	assert_true(memory_type_of(gpa, PAGE_SIZE, &mapping));
	return mapping.typed ? mapping.type : -1;
}

static bool one_type(uint64_t gpa, uint64_t size)
{
	struct host_mapping mapping = {.hpa = gpa};

	return memory_type_of(gpa, size, &mapping);
}

static uint64_t real_now[MSRS];

static void remember_real(void)
{
	for (unsigned int i = 0; i < MSRS; i++)
		real_now[i] = real[current][i].value;
}

static void assert_real_as_before(void)
{
	for (unsigned int i = 0; i < MSRS; i++)
		assert_int_equal(real[current][i].value, real_now[i]);
}

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
#define TEST(name) cmocka_unit_test_setup(name, start)
	const struct CMUnitTest tests[] = {
		TEST(what_the_firmware_left),
		TEST(top_of_memory_2),
		TEST(ranges_over_one_another),
		TEST(which_registers),
		TEST(values_that_raise_gp),
		TEST(l1_sets_its_own),
		TEST(uncached_over_real_write_combining),
		TEST(fixed_ranges_to_memory_or_the_bus),
		TEST(two_bits_of_syscfg),
		TEST(where_addresses_lead),
		TEST(processors_that_differ),
		TEST(fewer_address_bits),
	};

	return cmocka_run_group_tests_name("memory_types", tests, NULL, NULL);
}
