/*
 * hv/lapic.c: what INIT leaves in an APIC, with AMD's extension and without, and what is sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);
#define rdmsr fake_rdmsr
#define wrmsr fake_wrmsr
#include "hv/lapic.c"

enum { REGISTERS = 0x1000 / 4 };
#define BASE 0xfee00000u

static uint32_t registers[REGISTERS];
static uint64_t apic_base, icr;

static uint64_t fake_rdmsr(uint32_t msr)
{
	if (msr == MSR_APIC_BASE)
		return apic_base;
	assert_in_range(msr, 0x800, 0x8ff);
	return registers[(msr - 0x800) * 4];
}

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	assert_in_range(msr, 0x800, 0x8ff);
	if (msr == 0x830)
		icr = value;
	registers[(msr - 0x800) * 4] = (uint32_t)value;
}

void *phys(uint64_t hpa)
{
	assert_in_range(hpa, BASE, BASE + 0xfff);
	return (char *)registers + (hpa - BASE);
}

/* All of it has been written to. */
static void used(uint64_t mode, uint32_t version, uint32_t extension)
{
	apic_base = BASE | APIC_BASE_ENABLE | mode;
	for (unsigned int i = 0; i < REGISTERS; i++)
		registers[i] = 0x455;
	memset(&registers[0x100 / 4], 0, 0x80); /* nothing in service */
	registers[0x30 / 4] = version;
	registers[0x400 / 4] = extension;
	icr = 0;
}

static uint32_t at_offset(unsigned int offset)
{
	return registers[offset / 4];
}

static void init_resets_it(void **state)
{
	(void)state;
	for (int x2apic = 0; x2apic < 2; x2apic++) {
		used(x2apic ? APIC_BASE_X2APIC : 0, 0x80050010, 0x40001);
		lapic_init();
		for (unsigned int lvt = 0x320; lvt <= 0x370; lvt += 0x10)
			assert_int_equal(at_offset(lvt), 0x10000);
		for (unsigned int lvt = 0x500; lvt <= 0x530; lvt += 0x10)
			assert_int_equal(at_offset(lvt), 0x10000);
		for (unsigned int word = 0x480; word <= 0x4f0; word += 0x10)
			assert_int_equal(at_offset(word), 0xffffffff);
		assert_int_equal(at_offset(0x410), 0);
		assert_int_equal(at_offset(0xf0), 0xff);
		assert_int_equal(at_offset(0x80), 0);
		assert_int_equal(at_offset(0x380), 0);
		assert_int_equal(at_offset(0x20), 0x455); /* the id stays */
		assert_int_equal(at_offset(0xd0), x2apic ? 0x455 : 0);
	}
}

static void what_it_has_not_is_left_alone(void **state)
{
	(void)state;
	used(0, 0x50010, 0x40001);
	lapic_init();
	for (unsigned int offset = 0x410; offset < 0x1000; offset += 0x10)
		assert_int_equal(at_offset(offset), 0x455);
	used(0, 0x80050010, 0x20000);
	lapic_init();
	assert_true(at_offset(0x500) == 0x10000 && at_offset(0x510) == 0x10000);
	assert_true(at_offset(0x520) == 0x455 && at_offset(0x480) == 0x455);
}

static void sends(void **state)
{
	(void)state;
	used(0, 0, 0);
	lapic_send(3, ICR_INIT);
	assert_int_equal(at_offset(0x300), 0x4500);
	assert_int_equal(at_offset(0x310), 0x455); /* L1's */
	lapic_send_others(ICR_STARTUP | 0x9e);
	assert_int_equal(at_offset(0x300), 0xc469e);
	assert_int_equal(at_offset(0x310), 0x455);
	used(APIC_BASE_X2APIC, 0, 0);
	lapic_send(0x103, ICR_NMI);
	assert_true(icr == 0x10300004400);
	lapic_send_others(ICR_INIT);
	assert_true(icr == 0xc4500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_resets_it),
		cmocka_unit_test(what_it_has_not_is_left_alone),
		cmocka_unit_test(sends),
	};

	return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
