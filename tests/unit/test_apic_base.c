/*
 * svm/apic/base.c: where L1 may have its APICs, what is kept from guests when they move, and modes:
 * disabled, x2APIC with its ICR, and on QEMU's own emulation.
 */
#include "tests/unit/apic_rig.h"

enum { INTERCEPTED = 11 }; /* MSRs of each APIC */
#define MOVED 0xfed50000ull

/* It has its APIC as each of several has: another may be plugged in. */
static void one_processor(void **state)
{
	(void)state;
	machine(1);
	assert_int_equal(intercepted, INTERCEPTED);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	command(0, 0x4500); /* itself */
	assert_got(1, INIT);
	command(0, 0xc4500);
	assert_got(0, 0);
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	assert_true(real_base == (OTHER | ON));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON));
	assert_true(apic_covers(OTHER, PAGE_SIZE));
	assert_false(apic_write_base(&vcpus[0], 0x7f000000 | ON));
}

static void it_moves(void **state)
{
	(void)state;
	machine(2);
	assert_int_equal(intercepted, 2 * INTERCEPTED);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_true(apic_covers(0xfe000000, 0x1000000));
	assert_false(apic_covers(PAGE - PAGE_SIZE, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	assert_true(real_base == (OTHER | ON));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON));
	assert_true(apic_covers(PAGE, PAGE_SIZE) && apic_covers(OTHER, PAGE_SIZE));
	/* The other one is still at the old page, where nothing has changed. */
	assert_int_equal(drops, 1);
	assert_true(dropped[0] == OTHER);
	/* There its registers are; at the other's page there is nothing of its own. */
	store(APIC_ICR, 0xc4030);
	assert_int_equal(registers[MAX - 1][APIC_ICR / 4], 0xc4030);
	store(APIC_ICR, 0xc4500);
	assert_true(got[0] == NOTHING && got[1] == NOTHING);
	assert_int_equal(registers[MAX - 1][APIC_ICR / 4], 0xc4030);
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + APIC_ICR));
	assert_true(got[0] == NOTHING && got[1] == INIT);
	on(1);
	assert_true(apic_write_base(&vcpus[1], MOVED | ON));
	assert_true(apic_covers(OTHER, PAGE_SIZE) && apic_covers(MOVED, PAGE_SIZE));
	assert_true(drops == 2 && dropped[0] == PAGE && dropped[1] == MOVED);
	forget();
	assert_true(apic_write_base(&vcpus[1], OTHER | ON));
	assert_true(drops == 1 && dropped[0] == MOVED);
	assert_false(apic_covers(MOVED, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[1], OTHER | ON));
	on(0);
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
}

/* L0 maps the page before the APIC is there; it stays where it is if there is no room for that. */
static void l0_reaches_it(void **state)
{
	unsigned int writes;

	(void)state;
	machine(2);
	assert_int_equal(in_window, PAGE);
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	assert_int_equal(in_window, OTHER);
	writes = base_writes;
	window_is_full = true;
	assert_false(apic_write_base(&vcpus[0], PAGE | ON));
	window_is_full = false;
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON));
	assert_true(apic_covers(OTHER, PAGE_SIZE));
	assert_int_equal(base_writes, writes);
}

static void it_may_not_move(void **state)
{
	const uint64_t bad[] = {
		0x7f000000 | ON,   /* L0's memory */
		0x5000 | ON,       /* L1's memory */
		0x9000000000 | ON, /* where L0 does not see it */
		0x100000000 | ON,
		PAGE | ON | 1, /* reserved bits */
		PAGE | ON | 1ull << 40,
		PAGE | X2, /* a mode that is none */
		ON,
	};

	(void)state;
	machine(2);
	memory_at = 0x5000;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(apic_write_base(&vcpus[0], bad[i]));
		assert_true(apic_read_base(&vcpus[0]) == (PAGE | ON));
	}
	wrmsr_faults = true;
	assert_false(apic_write_base(&vcpus[0], OTHER | ON));
	assert_false(apic_covers(OTHER, PAGE_SIZE));
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_int_equal(base_writes, 0);
	wrmsr_faults = false;
	/* So many pages and no more. */
	machine(MAX - 1);
	for (unsigned int i = 0; i < MAX - 1; i++) {
		on(i);
		assert_int_equal(apic_write_base(&vcpus[i], (OTHER + i * PAGE_SIZE) | ON),
		                 i + 1 < pages_max || i == MAX - 2);
		if (i + 1 == pages_max) /* the last one leaves PAGE: then there is room */
			assert_true(apic_write_base(&vcpus[i], OTHER | ON));
	}
}

static void disabled(void **state)
{
	(void)state;
	machine(2);
	registers[0][APIC_TIMER / 4] = 0x20030;
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_true(apic_read_base(&vcpus[0]) == PAGE);
	assert_true(real_base == (PAGE | ON));
	assert_int_equal(registers[0][APIC_LINT0 / 4], 0x700);
	assert_int_equal(registers[0][APIC_TIMER / 4], 0x10000);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_false(apic_write_base(&vcpus[0], PAGE | ON | X2));
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_read_base(&vcpus[0]) == (PAGE | ON));
}

static void x2apic(void **state)
{
	(void)state;
	machine(3);
	assert_false(x2apic_write(&vcpus[0], 0x830, 0xc40fd));
	for (unsigned int i = 0; i < 3; i++) {
		on(i);
		x2_msr[APIC_ID / 16] = 0x100 + i;
		x2_msr[APIC_LDR / 16] = 0x100000 | 1u << i;
		assert_true(apic_write_base(&vcpus[i], PAGE | ON | X2));
		assert_true(real_base == (PAGE | ON | X2));
	}
	on(0);
	forget();
	registers[0][APIC_ICR / 4] = 0x55;
	assert_true(x2apic_write(&vcpus[0], 0x830, 0x10200004500));
	assert_got(1 << 2, INIT);
	forget();
	assert_true(x2apic_write(&vcpus[0], 0x830, 0x10000500004e21)); /* logical */
	assert_got(1 << 0 | 1 << 2, 0x21);
	forget();
	assert_true(x2apic_write(&vcpus[0], 0x830, 0x20000500004e21));
	assert_got(0, 0);
	assert_true(x2apic_write(&vcpus[0], 0x830, 0xffffffff00004500));
	assert_got(7, INIT);
	forget();
	assert_true(x2apic_write(&vcpus[0], 0x830, 0xff00004500));
	assert_got(0, 0);
	assert_true(x2apic_write(&vcpus[0], 0x830, 0xc4612));
	assert_got(6, 0x12);
	assert_int_equal(icr_writes, 0);
	assert_true(x2apic_write(&vcpus[0], 0x830, 0x101000040fd));
	assert_true(icr_msr == 0x101000040fd);
	assert_false(x2apic_write(&vcpus[0], 0x830, 1ull << 12 | 0x4500));
	assert_false(x2apic_write(&vcpus[0], 0x830, 1ull << 20 | 0x40fd));
	assert_int_equal(icr_writes, 1);
	/* No local vector sends INIT or STARTUP. */
	assert_true(x2apic_write(&vcpus[0], 0x834, 0x430));
	assert_false(x2apic_write(&vcpus[0], 0x834, 0x530));
	assert_false(x2apic_write(&vcpus[0], 0x853, 0x600));
	assert_true(x2_msr[0x34] == 0x430 && x2_msr[0x53] == 0);
	assert_true(is_x2apic(0x800) && is_x2apic(0x8ff));
	assert_false(is_x2apic(0x7ff) || is_x2apic(0x900));
	/* Straight to xAPIC mode is no way; by disabling it is. */
	assert_false(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_false(x2apic_write(&vcpus[0], 0x830, 0xc40fd));
	assert_true(real_base == (PAGE | ON | X2));
	base_writes = 0;
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_int_equal(base_writes, 2);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
}

static void on_tcg(void **state)
{
	(void)state;
	machine(2);
	features.tcg = true;
	vcpus[0].apic.base |= APIC_BASE_BSP;
	assert_true(apic_write_base(&vcpus[0], OTHER | ON | X2));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON | APIC_BASE_BSP));
	assert_int_equal(base_writes, 0);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_read_base(&vcpus[0]) == (PAGE | APIC_BASE_BSP));
	command(2, 0x4500);
	assert_got(2, INIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_processor), cmocka_unit_test(it_moves),
		cmocka_unit_test(l0_reaches_it), cmocka_unit_test(it_may_not_move),
		cmocka_unit_test(disabled),      cmocka_unit_test(x2apic),
		cmocka_unit_test(on_tcg),
	};

	return cmocka_run_group_tests_name("apic_base", tests, NULL, NULL);
}
