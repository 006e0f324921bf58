/*
 * boot/window_plan.c: what L0's window is to have on machines with holes: memory, what firmware
 * keeps, interrupt controllers, and nothing else. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/l1_ranges.h"
#include "boot/window_plan.h"
#include "tests/unit/arena.h"

#define MIB  (1ull << 20)
#define GIB  (1ull << 30)
#define APIC 0xfee00000ull

static struct memmap map;
static struct window_range ranges[BOOT_MAX_RANGES];
static unsigned int count;

static void add(uint64_t base, uint64_t end, uint32_t type)
{
	assert_true(memmap_add(&map, base, end - base, type));
}

/* The rest is nowhere. */
static void assert_ranges(const struct window_range *expected, unsigned int number)
{
	assert_int_equal(count, number);
	for (unsigned int i = 0; i < number; i++) {
		assert_int_equal(ranges[i].base, expected[i].base);
		assert_int_equal(ranges[i].end, expected[i].end);
		assert_int_equal(ranges[i].device, expected[i].device);
	}
}

static int fresh(void **state)
{
	(void)state;
	map.count = 0;
	return 0;
}

/* A loader's map may leave out where ACPI's tables are. */
static void tables_that_no_map_tells_of(void **state)
{
	static const struct window_range expected[] = {
		{0, MIB, true},
		{2 * MIB, 2 * MIB + 0x3000, true},
		{3 * MIB, 3 * MIB + 0x1000, true},
		{0xfec00000, 0xfef00000, true},
		{0xffff0000, 4 * GIB, true}, /* a reset's */
	};

	(void)state;
	arena_new(4 * MIB);
	put32(2 * MIB + 36, 2 * MIB + 0x1000); /* an FADT, which leads to a DSDT */
	put32(2 * MIB + 0x1000 + 40, 3 * MIB);
	put_acpi_table(2 * MIB + 0x1000, "FACP", 132);
	put_acpi_table(2 * MIB + 0x2000, "SSDT", 40);
	put32(2 * MIB + 40, 2 * MIB + 0x2000);
	put_acpi_table(2 * MIB, "RSDT", 44);
	put_acpi_table(3 * MIB, "FACP", 132); /* which is no FADT there: it leads nowhere */
	put32(3 * MIB + 40, 3 * MIB);
	put_rsdp(0xf5a30, 0, 2 * MIB, 0);
	assert_true(window_plan(&map, 0xf5a30, APIC, ranges, &count));
	assert_ranges(expected, sizeof(expected) / sizeof(*expected));
	arena_free();
}

static void a_machine_of_pc_firmware(void **state)
{
	static const struct window_range expected[] = {
		{0, 0xa0000, false}, /* a page that is memory in part counts as such */
		{0xa0000, MIB, true},
		{MIB, 2047 * MIB, false},
		{2047 * MIB, 2048 * MIB, true}, /* firmware's */
		{0xe0000000, 0xf0000000, true},
		{0xfec00000, 0xfef00000, true},
		{0xff000000, 4 * GIB, true},
		{4 * GIB, 6 * GIB, false},
	};

	(void)state;
	add(0, 0x9fc00, MEM_USABLE);
	add(0x9fc00, 0xa0000, MEM_RESERVED);
	add(0xf0000, MIB, MEM_RESERVED);
	add(MIB, 2046 * MIB, MEM_USABLE);
	add(2046 * MIB, 2046 * MIB + 0x20800, MEM_ACPI);
	add(2046 * MIB + 0x20800, 2047 * MIB, MEM_NVS);
	add(2047 * MIB, 2048 * MIB, MEM_RESERVED);
	add(0xe0000000, 0xf0000000, MEM_RESERVED);
	add(0xff000000, 4 * GIB, MEM_RESERVED);
	add(4 * GIB, 6 * GIB, MEM_USABLE);
	assert_true(window_plan(&map, 0, APIC, ranges, &count));
	assert_ranges(expected, sizeof(expected) / sizeof(*expected));
}

/* What is bad, no memory, or reserved above 4 GiB is not there; one that reaches over it is cut.
 * EFI's services are memory. */
static void holes_are_not_mapped(void **state)
{
	static const struct window_range expected[] = {
		{0, MIB, true},
		{MIB, GIB, false},
		{0xfd000000, 0xfd001000, true}, /* this processor's APIC */
		{0xfec00000, 4 * GIB, true},
		{5 * GIB, 6 * GIB, false},
		{9 * GIB, 9 * GIB + MIB, false}, /* EFI's */
		{1024 * GIB, 1025 * GIB, false},
	};

	(void)state;
	add(MIB, GIB, MEM_USABLE);
	add(GIB, 2 * GIB, MEM_BAD);
	add(0xfee00000, 5 * GIB, MEM_RESERVED);
	add(5 * GIB, 6 * GIB, MEM_USABLE);
	add(8 * GIB, 9 * GIB, MEM_RESERVED);
	add(9 * GIB, 9 * GIB + MIB, MEM_RUNTIME);
	add(1012 * GIB, 1024 * GIB, MEM_HOLE);
	add(1024 * GIB, 1025 * GIB, MEM_USABLE);
	assert_true(window_plan(&map, 0, 0xfd000000, ranges, &count));
	assert_ranges(expected, sizeof(expected) / sizeof(*expected));
}

/* 12 TiB and sparse: as many ranges as there are pieces. */
static void much_memory(void **state)
{
	(void)state;
	add(0, 2 * GIB, MEM_USABLE);
	for (uint64_t i = 1; i <= 12; i++)
		add(i << 42, (i << 42) + 1024 * GIB, MEM_USABLE);
	assert_true(window_plan(&map, 0, APIC, ranges, &count));
	assert_int_equal(count, 1 + 2 + 12);
	assert_int_equal(ranges[14].end, (12ull << 42) + 1024 * GIB);
	assert_false(ranges[14].device);
}

static void too_many_pieces(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++)
		add(4 * GIB + i * 0x2000, 4 * GIB + i * 0x2000 + 0x1000, MEM_USABLE);
	assert_false(window_plan(&map, 0, APIC, ranges, &count));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables_that_no_map_tells_of),
		TEST(a_machine_of_pc_firmware),
		TEST(holes_are_not_mapped),
		TEST(much_memory),
		TEST(too_many_pieces),
	};

	return cmocka_run_group_tests_name("window_plan", tests, NULL, NULL);
}
