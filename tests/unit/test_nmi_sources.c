/*
 * svm/event/nmi_sources.c: when a kick of L0's may have an NMI of L1's in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static uint8_t port;
static uint8_t fake_inb(uint16_t number);
#define inb fake_inb
#include "svm/event/nmi_sources.c"

static uint32_t registers[PAGE_SIZE / 4];
static uint64_t selects[COUNTERS], counters[COUNTERS];
static uint64_t ibs_fetch, ibs_op, ibs_control;
static bool msrs;
static struct vcpu vcpu;

static uint8_t fake_inb(uint16_t number)
{
	assert_int_equal(number, 0x61);
	return port;
}

void *phys(uint64_t hpa)
{
	assert_in_range(hpa, 0xfee00000, 0xfee00fff);
	return (char *)registers + (hpa & 0xfff);
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	if (msr >= 0xc0011000) {
		assert_true(msr == 0xc0011030 || msr == 0xc0011033 || msr == 0xc001103a);
		*value = msr == 0xc0011030 ? ibs_fetch : msr == 0xc0011033 ? ibs_op : ibs_control;
	} else if (msr >= 0xc0010200) {
		assert_in_range(msr, 0xc0010208, 0xc001020b);
		*value = (msr & 1 ? counters : selects)[(msr - 0xc0010200) / 2];
	} else {
		assert_in_range(msr, 0xc0010000, 0xc0010007);
		*value = (msr & 4 ? counters : selects)[msr & 3];
	}
	return msrs;
}

static int setup(void **state)
{
	(void)state;
	memset(registers, 0, sizeof(registers));
	memset(selects, 0, sizeof(selects));
	memset(counters, 0, sizeof(counters));
	for (unsigned int lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		registers[lvt / 4] = 0x10400; /* NMI, masked */
	port = 0;
	ibs_fetch = ibs_op = ibs_control = 0;
	msrs = true;
	vcpu.apic.page = 0xfee00000;
	return 0;
}

static void none_is_armed(void **state)
{
	(void)state;
	port = 0xc0;
	selects[0] = 0x500000;
	assert_false(nmi_may_be_l1s(&vcpu));
	registers[0x350 / 4] = 0x700; /* ExtINT */
	registers[0x360 / 4] = 0x30;  /* fixed */
	assert_false(nmi_may_be_l1s(&vcpu));
}

static void chipset(void **state)
{
	(void)state;
	registers[0x360 / 4] = 0x400;
	assert_false(nmi_may_be_l1s(&vcpu));
	port = 0x40;
	assert_true(nmi_may_be_l1s(&vcpu));
	port = 0x80;
	assert_true(nmi_may_be_l1s(&vcpu));
	port = 0x3f;
	assert_false(nmi_may_be_l1s(&vcpu));
	port = 0x80;
	registers[0x360 / 4] = 0x10400;
	registers[0x350 / 4] = 0x400;
	assert_true(nmi_may_be_l1s(&vcpu));
}

static void performance_counters(void **state)
{
	(void)state;
	registers[0x340 / 4] = 0x400;
	assert_false(nmi_may_be_l1s(&vcpu));
	for (unsigned int i = 0; i < COUNTERS; i++) {
		selects[i] = 0x500076;
		counters[i] = 0xfffffffff000;
		assert_false(nmi_may_be_l1s(&vcpu)); /* counts up still */
		counters[i] = 3;
		assert_true(nmi_may_be_l1s(&vcpu));
		selects[i] = 0x400076; /* no interrupt */
		assert_false(nmi_may_be_l1s(&vcpu));
		selects[i] = 0x100076; /* not enabled */
		assert_false(nmi_may_be_l1s(&vcpu));
	}
	selects[0] = 0x500076;
	msrs = false;
	assert_false(nmi_may_be_l1s(&vcpu));
}

static void others_say_nothing(void **state)
{
	(void)state;
	registers[0x330 / 4] = 0x400; /* thermal */
	assert_true(nmi_may_be_l1s(&vcpu));
	registers[0x330 / 4] = 0x10400;
	registers[0x510 / 4] = 0x400; /* extended, if there are any */
	registers[0x500 / 4] = 0x10400;
	assert_false(nmi_may_be_l1s(&vcpu));
	registers[0x30 / 4] = 0x80000010;
	registers[0x400 / 4] = 0x10000;
	assert_false(nmi_may_be_l1s(&vcpu));
	registers[0x400 / 4] = 0x40000;
	assert_true(nmi_may_be_l1s(&vcpu));
}

/* Linux has sampling on for good: a kick is no NMI of its own then. */
static void sampling(void **state)
{
	(void)state;
	registers[0x30 / 4] = 0x80000010;
	registers[0x400 / 4] = 0x40000;
	registers[0x500 / 4] = registers[0x520 / 4] = registers[0x530 / 4] = 0x10400;
	registers[0x510 / 4] = 0x400;
	ibs_control = 0x101;
	assert_false(nmi_may_be_l1s(&vcpu));
	ibs_fetch = 1ull << 48;
	ibs_op = 1ull << 17;
	assert_false(nmi_may_be_l1s(&vcpu)); /* it counts still */
	ibs_fetch |= 1ull << 49;
	assert_true(nmi_may_be_l1s(&vcpu));
	ibs_fetch = 1ull << 49; /* off */
	assert_false(nmi_may_be_l1s(&vcpu));
	ibs_op |= 1ull << 18;
	assert_true(nmi_may_be_l1s(&vcpu));
	ibs_op = 1ull << 18;
	assert_false(nmi_may_be_l1s(&vcpu));
	/* Another one is armed, or it is not sampling's. */
	registers[0x530 / 4] = 0x400;
	assert_true(nmi_may_be_l1s(&vcpu));
	registers[0x530 / 4] = 0x10400;
	ibs_control = 0x102;
	assert_true(nmi_may_be_l1s(&vcpu));
	ibs_control = 0x001;
	assert_true(nmi_may_be_l1s(&vcpu));
	ibs_control = 0x101;
	assert_false(nmi_may_be_l1s(&vcpu));
	msrs = false; /* there is no sampling */
	assert_true(nmi_may_be_l1s(&vcpu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(none_is_armed, setup),
		cmocka_unit_test_setup(chipset, setup),
		cmocka_unit_test_setup(performance_counters, setup),
		cmocka_unit_test_setup(others_say_nothing, setup),
		cmocka_unit_test_setup(sampling, setup),
	};

	return cmocka_run_group_tests_name("nmi sources", tests, NULL, NULL);
}
