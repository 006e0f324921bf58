/*
 * hv/mtrr.c and svm/memory/memory_types.c on registers that are an array, for one file of a test
 * program. APM vol. 2, sections 7.7 to 7.9.
 */
#ifndef TESTS_UNIT_MEMORY_TYPES_RIG_H
#define TESTS_UNIT_MEMORY_TYPES_RIG_H

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

static inline uint64_t *real_msr(uint32_t msr)
{
	unsigned int i = 0;

	while (real[current][i].msr && real[current][i].msr != msr)
		i++;
	assert_true(i + 1 < MSRS);
	real[current][i].msr = msr;
	return &real[current][i].value;
}

static inline bool is_real_fixed(uint32_t msr)
{
	return msr == 0x250 || msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f);
}

static inline bool shows_dram_bits(void)
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

static inline void work_on(unsigned int cpu)
{
	current = cpu;
	base.processor = &vcpus[cpu];
}

/* As PC firmware leaves them: 2 GiB of memory, devices below 4 GiB, memory from there to TOM2. */
static inline void firmware(void)
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

static inline int start(void **state)
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

static inline bool write_l1(uint32_t msr, uint64_t value)
{
	assert_true(memory_msr_exits(msr) & MSR_WRITES);
	return memory_msr_write(&vcpus[current], msr, value);
}

static inline uint64_t read_l1(uint32_t msr)
{
	uint64_t value;

	assert_true(memory_msr_exits(msr) & MSR_READS);
	assert_true(memory_msr_read(&vcpus[current], msr, &value));
	return value;
}

/* -1: L0's page is as the guest's tables have it. */
static inline int type_at(uint64_t gpa)
{
	struct host_mapping mapping = {.hpa = gpa};

	assert_true(memory_type_of(gpa, PAGE_SIZE, &mapping));
	return mapping.typed ? mapping.type : -1;
}

static inline bool one_type(uint64_t gpa, uint64_t size)
{
	struct host_mapping mapping = {.hpa = gpa};

	return memory_type_of(gpa, size, &mapping);
}

static uint64_t real_now[MSRS];

static inline void remember_real(void)
{
	for (unsigned int i = 0; i < MSRS; i++)
		real_now[i] = real[current][i].value;
}

static inline void assert_real_as_before(void)
{
	for (unsigned int i = 0; i < MSRS; i++)
		assert_int_equal(real[current][i].value, real_now[i]);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

#endif
