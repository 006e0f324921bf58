/*
 * hv/screen_map.c: the framebuffer is mapped as a whole, write-combining, and nothing beside it;
 * under 4 and 5 levels. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static unsigned long fake_read_cr3(void);
static unsigned long fake_read_cr4(void);
static void fake_write_cr3(unsigned long value);
#define read_cr3  fake_read_cr3
#define read_cr4  fake_read_cr4
#define write_cr3 fake_write_cr3
#include "hv/screen_map.c"
#include "hv/screen_place.c"

enum { CR3 = 0x1000, TABLE_PAGES = 8, HEAP = 0x100000 };
#define MIB (1ull << 20)

static uint64_t tables[TABLE_PAGES][ENTRIES] ALIGNED_TABLE;
static unsigned long cr4;
static unsigned int flushes;

static unsigned long fake_read_cr3(void)
{
	return CR3 | 0x18; /* PWT and PCD are no part of the address */
}

static unsigned long fake_read_cr4(void)
{
	return cr4;
}

static void fake_write_cr3(unsigned long value)
{
	assert_int_equal(value, fake_read_cr3());
	flushes++;
}

void *phys(uint64_t hpa)
{
	assert_in_range(hpa, CR3, CR3 + (TABLE_PAGES - 1) * PAGE_SIZE);
	return tables[hpa / PAGE_SIZE - 1];
}

/* The tables of the file are at HEAP, one after the other. */
uint64_t hpa_of(const void *address)
{
	return address == directory ? HEAP
	       : address == first   ? HEAP + PAGE_SIZE
	                            : HEAP + 2 * PAGE_SIZE;
}

static const uint64_t *own_table(uint64_t entry)
{
	static uint64_t *const own[] = {directory, first, last};
	uint64_t hpa = entry & FRAME;

	assert_in_range(hpa, HEAP, HEAP + 2 * PAGE_SIZE);
	assert_int_equal(entry & (WINDOW_P | WINDOW_W), WINDOW_P | WINDOW_W);
	return own[(hpa - HEAP) / PAGE_SIZE];
}

static int setup(void **state)
{
	(void)state;
	memset(tables, 0, sizeof(tables));
	memset(directory, 0xff, sizeof(directory)); /* of a map before */
	memset(first, 0xff, sizeof(first));
	memset(last, 0xff, sizeof(last));
	cr4 = CR4_PAE;
	tables[0][511] = 0x2000 | 3;
	tables[1][510] = 0x7000 | 3; /* the image's */
	flushes = 0;
	return 0;
}

/* The entry for the address, as the processor would find it; shift: of its page. */
static uint64_t entry_for(const uint64_t *upper, uint64_t address, unsigned int *shift)
{
	uint64_t entry = own_table(upper[address >> 30 & 511])[address >> 21 & 511];

	*shift = 21;
	if (!(entry & WINDOW_P) || entry & WINDOW_LARGE)
		return entry;
	*shift = 12;
	return own_table(entry)[address >> 12 & 511];
}

/* Every page around is mapped if, and only if, it is a part of [base, base + bytes). */
static void check(const uint64_t *upper, uint64_t base, uint64_t bytes)
{
	uint64_t at = (uint64_t)(uintptr_t)screen_map_pixels(base, bytes);
	uint64_t begin = base & ~0xfffull, end = (base + bytes + 0xfff) & ~0xfffull;
	uint64_t block = base & ~(2 * MIB - 1);

	assert_int_equal(at & (2 * MIB - 1), base & (2 * MIB - 1));
	assert_true(at >> 39 == 0x1ffffff && (at >> 30 & 511) == 509);
	assert_int_equal(flushes, 1);
	flushes = 0;
	for (uint64_t hpa = block; hpa < block + 1024 * MIB; hpa += PAGE_SIZE) {
		unsigned int shift;
		uint64_t entry = entry_for(upper, (at & ~(2 * MIB - 1)) + (hpa - block), &shift);
		uint64_t pat = shift == 12 ? PAT_OF_4K : PAT_OF_2M;

		if (hpa < begin || hpa >= end) {
			assert_int_equal(entry & WINDOW_P, 0);
			continue;
		}
		assert_true((entry & FRAME & ~((1ull << shift) - 1)) ==
		            (hpa & ~((1ull << shift) - 1)));
		assert_true(entry & WINDOW_W && entry & WINDOW_NX);
		/* Entry 5 of the PAT, which is WC. */
		assert_int_equal(entry & (pat | WINDOW_PCD | WINDOW_PWT), pat | WINDOW_PWT);
	}
	assert_int_equal(PAT_OF_L0 >> 40 & 0xff, 1);
}

static void maps(void **state)
{
	(void)state;
	check(tables[1], 0xe0000000, 4096ull * 768);
	check(tables[1], 0xe0000000, 8 * MIB);
	check(tables[1], 0x8000000000, 33177600); /* 4K */
	check(tables[1], 0xe0123400, 7680ull * 1080);
	check(tables[1], 0xe0100000, 640 * 480 * 2);  /* within a block */
	check(tables[1], 0xe01ff000, 2 * MIB + 8192); /* a page before a block, and one after */
	check(tables[1], 0xe0001000, SCREEN_MAP_MAX);
	assert_int_equal(tables[1][510], 0x7000 | 3);
}

static void maps_by_5_levels(void **state)
{
	(void)state;
	cr4 |= CR4_LA57;
	tables[1][511] = 0x3000 | 3;
	tables[1][510] = 0;
	check(tables[2], 0xe0000000, 4096ull * 768);
	assert_int_equal(tables[1][509], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(maps, setup),
		cmocka_unit_test_setup(maps_by_5_levels, setup),
	};

	return cmocka_run_group_tests_name("screen map", tests, NULL, NULL);
}
