/*
 * boot/l1_ranges.c: which ranges of the machine's memory L0 reads and writes for L1. Relies on
 * cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/l1_ranges.h"
#include "hv/x86.h"
#include "tests/unit/arena.h"

#define RSDP 0xe0000u
#define RSDT 0x8000u
#define SRAT 0x9000u
#define GIB  SIZE_1G

static struct memmap map;
static uint32_t srat_end;

static void put_memory(uint8_t size, uint64_t base, uint64_t bytes, uint32_t flags)
{
	uint32_t at_entry = SRAT + srat_end;

	put8(at_entry, 1);
	put8(at_entry + 1, size);
	put64(at_entry + 8, base);
	put64(at_entry + 16, bytes);
	put32(at_entry + 28, flags);
	srat_end += size;
	put_acpi_table(SRAT, "SRAT", srat_end);
}

/* A processor's entry, which is of another size. */
static void put_processor(void)
{
	put8(SRAT + srat_end, 0);
	put8(SRAT + srat_end + 1, 16);
	srat_end += 16;
	put_acpi_table(SRAT, "SRAT", srat_end);
}

static int fresh(void **state)
{
	(void)state;
	arena_new(0x100000);
	put_rsdp(RSDP, 0, RSDT, 0);
	put32(RSDT + 36, SRAT);
	put_acpi_table(RSDT, "RSDT", 40);
	srat_end = 48;
	put_processor();
	map.count = 0;
	memmap_add(&map, 0, 0xa0000, MEM_USABLE);
	memmap_add(&map, 0xf0000, 0x10000, MEM_RESERVED);
	memmap_add(&map, 0x100000, GIB - 0x100000, MEM_USABLE);
	memmap_add(&map, 0xfec00000, 0x1400000, MEM_RESERVED);
	memmap_add(&map, 4 * GIB, GIB, MEM_USABLE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void takes_what_may_be_plugged_in(void **state)
{
	(void)state;
	put_memory(40, 0, GIB, 1);
	put_memory(40, 5 * GIB, 3 * GIB, 3);
	put_memory(44, 9 * GIB, GIB, 5);  /* of a later version: longer */
	put_memory(40, 20 * GIB, GIB, 2); /* not enabled */
	l1_ranges_add(&map, RSDP);
	assert_int_equal(map.count, 7);
	assert_int_equal(map.range[5].base, 5 * GIB);
	assert_int_equal(map.range[5].type, MEM_HOTPLUG);
	assert_int_equal(l1_range_end(&map, 5), 8 * GIB);
	assert_int_equal(map.range[6].base, 9 * GIB);
	assert_int_equal(l1_range_end(&map, 6), 10 * GIB);
}

/* As Hyper-V has it: all that can be, whatever is there. */
static void spares_what_firmware_told(void **state)
{
	(void)state;
	memmap_add(&map, 6 * GIB, GIB, MEM_RESERVED);
	put_memory(40, 0, 0xf8000000, 3);
	put_memory(40, 0xf8000000, 5 * GIB, 3);
	l1_ranges_add(&map, RSDP);
	for (uint32_t i = 0; i < map.count; i++) {
		const struct mem_range *range = &map.range[i];
		bool memory = range->type == MEM_USABLE || range->type == MEM_HOTPLUG;

		assert_true(range->type != MEM_HOTPLUG || range->base >= 4 * GIB);
		assert_int_equal(l1_range_end(&map, i),
		                 memory ? range->base + range->size : range->base);
	}
	assert_true(memmap_covers(&map, 4 * GIB, GIB, MEM_USABLE));
	assert_true(memmap_covers(&map, 5 * GIB, GIB, MEM_HOTPLUG));
	assert_true(memmap_covers(&map, 6 * GIB, GIB, MEM_RESERVED));
	assert_true(memmap_covers(&map, 7 * GIB, 0xf8000000 + 5 * GIB - 7 * GIB, MEM_HOTPLUG));
}

static void knows_types(void **state)
{
	static const struct {
		uint32_t type;
		bool memory;
	} rows[] = {{MEM_HOTPLUG, true}, {MEM_USABLE, true},     {MEM_RESERVED, false},
	            {MEM_ACPI, true},    {MEM_NVS, true},        {MEM_BAD, false},
	            {6, false},          {MEM_PERSISTENT, true}, {MEM_PERSISTENT_OLD, true},
	            {MEM_RUNTIME, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh(state);
		memmap_add(&map, 8 * GIB, GIB, rows[i].type);
		assert_int_equal(l1_range_end(&map, 5), rows[i].memory ? 9 * GIB : 8 * GIB);
	}
}

/* 2 GiB and what is below 640 KiB, 16 times, from 4 GiB on; or 512 GiB. */
static void costs_no_more_than_it_may(void **state)
{
	static const uint32_t types[] = {MEM_HOTPLUG, MEM_PERSISTENT, MEM_PERSISTENT_OLD};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint64_t limit = 4 * GIB + 16 * (2 * GIB - 0x60000);

		fresh(state);
		memmap_add(&map, 8 * GIB, 1024 * GIB, types[i]);
		memmap_add(&map, 2048 * GIB, GIB, types[i]);
		memmap_add(&map, 0x1000000000000, UINT64_MAX, types[i]);
		assert_int_equal(l1_range_end(&map, 5), limit);
		assert_int_equal(l1_range_end(&map, 6), 2048 * GIB);
		assert_int_equal(l1_range_end(&map, 7), 0x1000000000000);
		memmap_add(&map, 4096 * GIB, 1024 * GIB, MEM_USABLE); /* what is there counts */
		assert_int_equal(l1_range_end(&map, 5), (4 + 512) * GIB);
		assert_int_equal(l1_range_end(&map, 7), 5120 * GIB);
	}
}

/* Of far ranges only those that pay for their holes are L1's; then what is before them is, too. */
static void leaves_out_what_is_too_far(void **state)
{
	const uint64_t there = 2 * GIB - 0x60000, far = 64 * (there + GIB); /* with one more GiB */
	struct mem_range cut;

	(void)state;
	memmap_add(&map, far - GIB, GIB, MEM_USABLE);
	assert_int_equal(l1_ranges_cut(&map).size, 0);
	assert_int_equal(l1_range_end(&map, 5), far);
	fresh(state);
	memmap_add(&map, far - GIB + 0x1000, GIB, MEM_USABLE);
	memmap_add(&map, 0x4000000000000, 3 * GIB, MEM_USABLE);
	cut = l1_ranges_cut(&map);
	assert_int_equal(cut.base, far - GIB + 0x1000);
	assert_int_equal(cut.size, 4 * GIB);
	for (uint32_t i = 5; i < 7; i++) {
		assert_int_equal(map.range[i].type, MEM_RESERVED);
		assert_int_equal(l1_range_end(&map, i), map.range[i].base);
	}
	assert_true(memmap_covers(&map, 4 * GIB, GIB, MEM_USABLE));
	fresh(state);
	memmap_add(&map, 1024 * GIB, GIB, MEM_USABLE);
	memmap_add(&map, 1026 * GIB, 1024 * GIB, MEM_USABLE);
	assert_int_equal(l1_ranges_cut(&map).size, 0);
	fresh(state);
	memmap_add(&map, UINT64_MAX - GIB + 1, GIB - 0x1000, MEM_USABLE);
	assert_int_equal(l1_ranges_cut(&map).base, UINT64_MAX - GIB + 1);
	/* A small machine whose memory is above the devices. */
	map.count = 0;
	memmap_add(&map, 0x100000, 0x1000000, MEM_USABLE);
	memmap_add(&map, 7 * GIB, 0x1000000, MEM_USABLE);
	assert_int_equal(l1_ranges_cut(&map).size, 0);
	/* ACPI's tables are nobody's reason. */
	fresh(state);
	memmap_add(&map, 100 * GIB, 0x10000, MEM_ACPI);
	memmap_add(&map, 200 * GIB, 0x10000, MEM_NVS);
	assert_int_equal(l1_range_end(&map, 5), 100 * GIB + 0x10000);
	assert_int_equal(l1_range_end(&map, 6), 200 * GIB);
}

/* Whatever firmware says of 12 TiB and more, 1/64 and 1/256 of memory are the most that it costs.
 */
static void holes_cost_no_more_than_they_may(void **state)
{
	uint32_t seed = 1;

	for (unsigned int round = 0; round < 1000; round++) {
		uint64_t memory = 0, end = 0;

		fresh(state);
		for (unsigned int i = 0; i < 20; i++) {
			static const uint32_t types[] = {MEM_USABLE, MEM_ACPI, MEM_NVS, MEM_RUNTIME,
			                                 MEM_PERSISTENT};
			uint64_t at, size;

			seed = seed * 1664525 + 1013904223;
			at = (uint64_t)(seed >> 8) << (12 + (seed >> 4) % 16);
			seed = seed * 1664525 + 1013904223;
			size = (uint64_t)(seed >> 16) << (12 + (seed >> 4) % 12);
			memmap_add(&map, at, size, types[(seed >> 8) % 5]);
		}
		l1_ranges_cut(&map);
		for (uint32_t i = 0; i < map.count; i++) {
			uint64_t range_end = l1_range_end(&map, i);

			if (map.range[i].type == MEM_USABLE)
				memory += map.range[i].size;
			if (range_end > map.range[i].base && range_end > end)
				end = range_end;
		}
		assert_true(end <= 8 * GIB || end / 4096 <= memory / 64);
	}
}

static void survives_broken_tables(void **state)
{
	(void)state;
	l1_ranges_add(&map, 0);
	put_memory(40, 5 * GIB, GIB, 3);
	put8(SRAT, 'X');
	l1_ranges_add(&map, RSDP);
	assert_int_equal(map.count, 5);
	fresh(state);
	put_memory(39, 5 * GIB, GIB, 3); /* too short for one */
	put_memory(40, 5 * GIB, UINT64_MAX - GIB, 3);
	put_memory(40, 5 * GIB, 0, 3);
	l1_ranges_add(&map, RSDP);
	assert_int_equal(map.count, 5);
	put8(SRAT + 48 + 1, 0); /* an entry of no bytes */
	put_acpi_table(SRAT, "SRAT", srat_end);
	l1_ranges_add(&map, RSDP);
	put8(SRAT + 48 + 1, 255); /* beyond the end */
	put_acpi_table(SRAT, "SRAT", srat_end);
	l1_ranges_add(&map, RSDP);
	assert_int_equal(map.count, 5);
	for (uint32_t length = 36; length < 52; length++) {
		put_acpi_table(SRAT, "SRAT", length);
		l1_ranges_add(&map, RSDP);
	}
	assert_int_equal(map.count, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_what_may_be_plugged_in),
		TEST(spares_what_firmware_told),
		TEST(knows_types),
		TEST(costs_no_more_than_it_may),
		TEST(leaves_out_what_is_too_far),
		TEST(holes_cost_no_more_than_they_may),
		TEST(survives_broken_tables),
	};

	return cmocka_run_group_tests_name("l1_ranges", tests, NULL, NULL);
}
