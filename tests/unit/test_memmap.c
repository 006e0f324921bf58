/*
 * boot/memmap.c against a model of one type per byte. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "boot/memmap.h"

static struct memmap map;

static int empty(void **state)
{
	(void)state;
	memset(&map, 0, sizeof(map));
	return 0;
}

static void assert_range(uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
	assert_true(i < map.count);
	assert_int_equal(map.range[i].base, base);
	assert_int_equal(map.range[i].size, size);
	assert_int_equal(map.range[i].type, type);
}

static void sorts(void **state)
{
	(void)state;
	assert_true(memmap_add(&map, 0x3000, 0x1000, MEM_USABLE));
	assert_true(memmap_add(&map, 0x1000, 0x1000, MEM_USABLE));
	assert_int_equal(map.count, 2);
	assert_range(0, 0x1000, 0x1000, MEM_USABLE);
	assert_range(1, 0x3000, 0x1000, MEM_USABLE);
}

static void merges(void **state)
{
	(void)state;
	memmap_add(&map, 0x3000, 0x1000, MEM_USABLE);
	memmap_add(&map, 0x1000, 0x1000, MEM_USABLE);
	memmap_add(&map, 0x2000, 0x1000, MEM_USABLE);
	assert_int_equal(map.count, 1);
	assert_range(0, 0x1000, 0x3000, MEM_USABLE);
	memmap_add(&map, 0x4000, 0x1000, MEM_ACPI);
	assert_int_equal(map.count, 2);
}

static void larger_type_wins(void **state)
{
	(void)state;
	memmap_add(&map, 0x1000, 0x8000, MEM_USABLE);
	memmap_add(&map, 0x2000, 0x1000, MEM_RESERVED);
	memmap_add(&map, 0x2800, 0x1000, MEM_ACPI);
	memmap_add(&map, 0x2000, 0x2000, MEM_USABLE);
	assert_int_equal(map.count, 4);
	assert_range(0, 0x1000, 0x1000, MEM_USABLE);
	assert_range(1, 0x2000, 0x800, MEM_RESERVED);
	assert_range(2, 0x2800, 0x1000, MEM_ACPI);
	assert_range(3, 0x3800, 0x5800, MEM_USABLE);
}

static void is_cut_at_the_end_of_addresses(void **state)
{
	(void)state;
	assert_true(memmap_add(&map, UINT64_MAX - 0xfff, 0x2000, MEM_USABLE));
	assert_range(0, UINT64_MAX - 0xfff, 0xfff, MEM_USABLE);
	assert_true(memmap_add(&map, 0x1000, UINT64_MAX, MEM_RESERVED));
	assert_int_equal(map.count, 1);
	assert_range(0, 0x1000, UINT64_MAX - 0x1000, MEM_RESERVED);
	assert_true(memmap_add(&map, UINT64_MAX, UINT64_MAX, MEM_BAD));
	assert_int_equal(map.count, 1);
}

static void ignores_nothing(void **state)
{
	(void)state;
	assert_true(memmap_add(&map, 0x1000, 0, MEM_USABLE));
	assert_int_equal(map.count, 0);
}

static void keeps_what_it_has_when_full(void **state)
{
	static struct memmap before;

	(void)state;
	for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++)
		assert_true(memmap_add(&map, i * 0x2000, 0x1000, MEM_USABLE));
	before = map;
	assert_false(memmap_add(&map, BOOT_MAX_RANGES * 0x2000, 0x1000, MEM_USABLE));
	assert_memory_equal(&map, &before, sizeof(map));
	assert_false(memmap_add(&map, 0x400, 0x400, MEM_RESERVED));
	assert_memory_equal(&map, &before, sizeof(map));
	/* What closes a gap makes room. */
	assert_true(memmap_add(&map, 0x1000, 0x1000, MEM_USABLE));
	assert_int_equal(map.count, BOOT_MAX_RANGES - 1);
	assert_true(memmap_add(&map, BOOT_MAX_RANGES * 0x2000, 0x1000, MEM_USABLE));
	assert_int_equal(map.count, BOOT_MAX_RANGES);
}

static void covers(void **state)
{
	(void)state;
	memmap_add(&map, 0x1000, 0x1000, MEM_USABLE);
	memmap_add(&map, 0x2000, 0x1000, MEM_ACPI);
	memmap_add(&map, 0x3000, 0x1000, MEM_USABLE);
	assert_true(memmap_covers(&map, 0x1000, 0x1000, MEM_USABLE));
	assert_true(memmap_covers(&map, 0x1fff, 1, MEM_USABLE));
	assert_true(memmap_covers(&map, 0x9000, 0, MEM_USABLE));
	assert_false(memmap_covers(&map, 0x1000, 0x1001, MEM_USABLE));
	assert_false(memmap_covers(&map, 0xfff, 2, MEM_USABLE));
	assert_false(memmap_covers(&map, 0x1000, 0x3000, MEM_USABLE));
	assert_false(memmap_covers(&map, 0x2000, 0x1000, MEM_USABLE));
	assert_true(memmap_covers(&map, 0x2000, 0x1000, MEM_ACPI));
	assert_false(memmap_covers(&map, 0x3000, UINT64_MAX, MEM_USABLE));
	assert_false(memmap_covers(&map, UINT64_MAX, 2, MEM_USABLE));
	assert_false(memmap_covers(&map, 0x4000, 1, MEM_USABLE));
}

static void finds(void **state)
{
	(void)state;
	memmap_add(&map, 0, 0x1000, MEM_USABLE);
	memmap_add(&map, 0x2800, 0x3000, MEM_USABLE);
	memmap_add(&map, 0x8000, 0x2000, MEM_USABLE);
	memmap_add(&map, 0xa000, 0x9000, MEM_RESERVED);
	assert_int_equal(memmap_find_high(&map, 0x1000, 0x1000, 0, UINT64_MAX), 0x9000);
	assert_int_equal(memmap_find_high(&map, 0x800, 0x10, 0, 0x9800), 0x9000);
	assert_int_equal(memmap_find_high(&map, 0x2001, 1, 0, UINT64_MAX), 0x2800 + 0xfff);
	assert_int_equal(memmap_find_high(&map, 0x2000, 0x1000, 0, 0x8000), 0x3000);
	assert_int_equal(memmap_find_high(&map, 0x2000, 0x1000, 0, 0x5000), 0x3000);
	assert_int_equal(memmap_find_high(&map, 0x2000, 0x1000, 0, 0x4fff), 0);
	assert_int_equal(memmap_find_high(&map, 0x2000, 0x1000, 0x8001, UINT64_MAX), 0);
	assert_int_equal(memmap_find_high(&map, 0x3001, 1, 0, UINT64_MAX), 0);
	/* Address 0 would mean that there is none. */
	assert_int_equal(memmap_find_high(&map, 0x1000, 0x1000, 0, 0x2000), 0);
	assert_int_equal(memmap_find_low(&map, 0x1000, 0x1000, 0, UINT64_MAX), 0x3000);
	assert_int_equal(memmap_find_low(&map, 0x800, 0x800, 0, UINT64_MAX), 0x800);
	assert_int_equal(memmap_find_low(&map, 0x1000, 0x10, 1, UINT64_MAX), 0x2800);
	assert_int_equal(memmap_find_low(&map, 0x2000, 0x4000, 0, UINT64_MAX), 0x8000);
	assert_int_equal(memmap_find_low(&map, 0x2000, 0x1000, 0x9000, UINT64_MAX), 0);
	assert_int_equal(memmap_find_low(&map, 0x1000, 0x1000, 0x9000, 0x9fff), 0);
	assert_int_equal(memmap_find_low(&map, 0x1000, 1ull << 63, 0, UINT64_MAX), 0);
	assert_int_equal(memmap_largest(&map, 0, UINT64_MAX), 0x3000);
	assert_int_equal(memmap_largest(&map, 0x4000, 0x9800), 0x1800);
	assert_int_equal(memmap_largest(&map, 0xa000, UINT64_MAX), 0);
	assert_int_equal(memmap_usable_end(&map, 0x2800), 0x5800);
	assert_int_equal(memmap_usable_end(&map, 0x57ff), 0x5800);
	assert_int_equal(memmap_usable_end(&map, 0x5800), 0x5800);
	assert_int_equal(memmap_usable_end(&map, 0xa000), 0xa000);
}

#define GIB (1ull << 30)
#define TIB (1ull << 40)

/* A terabyte with a hole at its end, 12 of them, and a few far from each other. */
static void large_and_sparse(void **state)
{
	static const struct mem_range ranges[] = {
		{0, 0x9f000, MEM_USABLE, 0},
		{0x100000, 2 * GIB - 0x100000, MEM_USABLE, 0},
		{0xfd00000000, 12 * GIB, MEM_RESERVED, 0},
		{4 * GIB, TIB - 4 * GIB, MEM_USABLE, 0}, /* the hole included */
		{TIB, 11 * TIB, MEM_USABLE, 0},
		{40 * TIB, GIB, MEM_USABLE, 0},
		{(1ull << 52) - GIB, GIB, MEM_USABLE, 0},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		assert_true(memmap_add(&map, ranges[i].base, ranges[i].size, ranges[i].type));
	assert_int_equal(map.count, 7);
	assert_false(memmap_covers(&map, 0xfcfffff000, 0x2000, MEM_USABLE));
	assert_true(memmap_covers(&map, TIB, 11 * TIB, MEM_USABLE));
	assert_int_equal(memmap_largest(&map, 0, UINT64_MAX), 11 * TIB);
	assert_int_equal(memmap_find_high(&map, 3 * GIB, 0x200000, 4 * GIB, UINT64_MAX),
	                 12 * TIB - 3 * GIB);
	assert_int_equal(memmap_find_high(&map, GIB, 0x200000, 4 * GIB, UINT64_MAX),
	                 (1ull << 52) - GIB);
	assert_int_equal(memmap_find_high(&map, 3 * GIB, 0x200000, 0, 4 * GIB), 0);
	assert_int_equal(memmap_find_high(&map, GIB, 0x200000, 0, 4 * GIB), GIB);
	assert_int_equal(memmap_find_low(&map, 2 * GIB, GIB, 0, UINT64_MAX), 4 * GIB);
	assert_int_equal(memmap_find_low(&map, TIB, GIB, 0, UINT64_MAX), TIB);
	assert_int_equal(memmap_find_high(&map, 8 * GIB, 0x1000, 0, TIB), 0xfd00000000 - 8 * GIB);
}

enum { MODEL_SIZE = 64 };

static void check_model(const uint8_t *model)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < map.count; i++) {
		assert_true(map.range[i].size > 0);
		assert_true(i == 0 || map.range[i].base >= end);
		assert_false(i && map.range[i].base == end &&
		             map.range[i].type == map.range[i - 1].type);
		end = map.range[i].base + map.range[i].size;
		assert_true(end <= MODEL_SIZE);
	}
	for (uint64_t byte = 0; byte < MODEL_SIZE; byte++)
		for (uint32_t type = MEM_USABLE; type <= MEM_BAD; type++)
			assert_int_equal(memmap_covers(&map, byte, 1, type), model[byte] == type);
}

static void agrees_with_a_model(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);

	(void)state;
	if (getenv("SEED"))
		seed = (unsigned int)strtoul(getenv("SEED"), NULL, 0);
	printf("# memmap: SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 500; round++) {
		uint8_t model[MODEL_SIZE] = {0};

		map.count = 0;
		for (int step = 0; step < 20; step++) {
			uint64_t base = (uint64_t)(rand() % MODEL_SIZE);
			uint64_t size = (uint64_t)rand() % (MODEL_SIZE - base + 1);
			uint8_t type = (uint8_t)(MEM_USABLE + rand() % MEM_BAD);

			assert_true(memmap_add(&map, base, size, type));
			for (uint64_t i = base; i < base + size; i++)
				if (type > model[i])
					model[i] = type;
			check_model(model);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sorts, empty),
		cmocka_unit_test_setup(merges, empty),
		cmocka_unit_test_setup(larger_type_wins, empty),
		cmocka_unit_test_setup(is_cut_at_the_end_of_addresses, empty),
		cmocka_unit_test_setup(ignores_nothing, empty),
		cmocka_unit_test_setup(keeps_what_it_has_when_full, empty),
		cmocka_unit_test_setup(covers, empty),
		cmocka_unit_test_setup(finds, empty),
		cmocka_unit_test_setup(large_and_sparse, empty),
		cmocka_unit_test_setup(agrees_with_a_model, empty),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
