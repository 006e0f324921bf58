/*
 * svm/frequency.c: what KVM and an outer Nestling tell of the TSC, and that nobody else is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf);
static void fake_wrmsr(uint32_t msr, uint64_t value);

#define cpuid fake_cpuid
#define wrmsr fake_wrmsr
#include "svm/frequency.c"

enum { CLOCK = 0x4b564d01, CLOCK_BIT = 1 << 3, DEPTH_8 = 8 };

struct features features;

static struct cpuid_regs leaves[0x11]; /* from 4000_0000 on */
static struct kvm_clock told;
static bool refuses;
static uint64_t last; /* that the register got */
static unsigned int writes;

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	assert_in_range(leaf, 0x40000000, 0x40000010);
	return leaves[leaf - 0x40000000];
}

uint64_t hpa_of(const void *address)
{
	return (uintptr_t)address;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	assert_int_equal(msr, CLOCK);
	writes++;
	last = value;
	if (refuses)
		return false;
	assert_int_equal(value & 31, 1); /* it crosses no page */
	memcpy((void *)(uintptr_t)(value & ~1ull), &told, sizeof(told));
	return true;
}

/* Whatever KVM writes from now on does not count. */
static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	assert_int_equal(msr, CLOCK);
	writes++;
	last = value;
}

static void below(const char *signature, uint32_t last_leaf, uint32_t eax_1)
{
	memset(leaves, 0, sizeof(leaves));
	memcpy(&leaves[0].ebx, signature, 12);
	leaves[0].eax = last_leaf;
	leaves[1].eax = eax_1;
	features.kvm = true;
	refuses = false;
	writes = 0;
	last = ~0ull;
	told = (struct kvm_clock){.multiplier = 0x80000000, .shift = 0}; /* 2 GHz */
}

/* As the kernel's kvm_get_time_scale() has it: the fraction of 2^32 that is largest below it. */
static struct kvm_clock clock_of(uint64_t khz)
{
	struct kvm_clock clock = {.shift = 0};
	uint64_t hz = khz * 1000;

	for (; hz > 2000000000; hz >>= 1)
		clock.shift--;
	for (; hz <= 1000000000; hz <<= 1)
		clock.shift++;
	clock.multiplier = (uint32_t)((1000000000ull << 32) / hz);
	return clock;
}

static void clocks(void **state)
{
	(void)state;
	for (uint64_t khz = 1000; khz < 4200000; khz += khz / 7 + 1) {
		struct kvm_clock clock = clock_of(khz);

		assert_in_range(frequency_of_clock(&clock), khz - 2, khz + 2);
	}
	assert_int_equal(frequency_of_clock(&(struct kvm_clock){.multiplier = 0x80000000}),
	                 2000000);
	assert_int_equal(
		frequency_of_clock(&(struct kvm_clock){.multiplier = 0xaaaaaaaa, .shift = -1}),
		3000000);
}

static void clocks_without_sense(void **state)
{
	static const struct kvm_clock clocks[] = {
		{.multiplier = 0},
		{.multiplier = 1},
		{.multiplier = 0x7fffffff},
		{.multiplier = 0x80000000, .shift = -12}, /* more than 32 bits of kHz */
		{.multiplier = 0x80000000, .shift = -128},
		{.multiplier = 0x80000000, .shift = 21},
		{.multiplier = 0x80000000, .shift = 127},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++)
		assert_int_equal(frequency_of_clock(&clocks[i]), 0);
}

static void kvm_has_a_clock(void **state)
{
	(void)state;
	below("KVMKVMKVM\0\0\0", 0x40000001, CLOCK_BIT);
	assert_int_equal(frequency_told(), 2000000);
	assert_int_equal(writes, 2);
	assert_int_equal(last, 0);
	below("KVMKVMKVM\0\0\0", 0x40000001, ~(uint32_t)CLOCK_BIT);
	assert_int_equal(frequency_told(), 0);
	assert_int_equal(writes, 0);
	below("KVMKVMKVM\0\0\0", 0x40000001, CLOCK_BIT);
	refuses = true;
	assert_int_equal(frequency_told(), 0);
	assert_int_equal(writes, 1);
}

static void the_leaf_comes_first(void **state)
{
	(void)state;
	below("KVMKVMKVM\0\0\0", 0x40000010, CLOCK_BIT);
	leaves[0x10].eax = 2345678;
	assert_int_equal(frequency_told(), 2345678);
	assert_int_equal(writes, 0);
}

static void an_outer_nestling_passes_it_on(void **state)
{
	(void)state;
	below("NestlingNest", 0x40000010, 1);
	leaves[0x10].eax = 2345678;
	assert_int_equal(frequency_told(), 2345678);
	below("NestlingNest", 0x40000002, DEPTH_8); /* its leaf 1 is no KVM's */
	assert_int_equal(frequency_told(), 0);
	assert_int_equal(writes, 0);
}

static void nobody_else_is_asked(void **state)
{
	(void)state;
	below("TCGTCGTCGTCG", 0x40000010, CLOCK_BIT);
	features.kvm = false;
	leaves[0x10].eax = 2345678;
	assert_int_equal(frequency_told(), 0);
	assert_int_equal(writes, 0);
	below("KVMKVMKVM\0\0\0", 0x80000010, 0); /* a last leaf that makes no sense */
	leaves[0x10].eax = 2345678;
	assert_int_equal(frequency_told(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks),
		cmocka_unit_test(clocks_without_sense),
		cmocka_unit_test(kvm_has_a_clock),
		cmocka_unit_test(the_leaf_comes_first),
		cmocka_unit_test(an_outer_nestling_passes_it_on),
		cmocka_unit_test(nobody_else_is_asked),
	};

	return cmocka_run_group_tests_name("frequency", tests, NULL, NULL);
}
