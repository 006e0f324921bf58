/*
 * What is another thing where L0 is a 32-bit program: the window of hv/window.c, long mode in
 * CPUID, and what is at 4 GiB and above. Built for any host. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PHYS_BITS_MOST 32

#include "hv/memory.h"
#include "hv/mtrr.h"
#include "hv/x86.h"

/* All features that there may be, and 1 GiB pages. */
static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	if (leaf & 0x7fffffff)
		return (struct cpuid_regs){~0u, ~0u, ~0u, ~0u};
	return (struct cpuid_regs){.eax = leaf + 0x26};
}

#define cpuid fake_cpuid
#include "hv/window.c"
#include "svm/cpuid_list.c"
#include "svm/memory/l1_memory.c"

enum { PAGES = 64, UNMAPPED = -1, UNCACHED, WRITE_BACK };
#define TABLES_AT 0x10000000ull

struct features features;
struct mtrr mtrr_real;
static uint64_t tables[PAGES][512] __attribute__((aligned(4096)));
static unsigned int used;

void *heap_pages(uint64_t pages)
{
	assert_true(used + pages <= PAGES);
	used += pages;
	return tables[used - pages];
}

uint64_t hpa_of(const void *address)
{
	return (uint64_t)((const char *)address - (char *)tables) + TABLES_AT;
}

void *phys(uint64_t hpa)
{
	return (char *)tables + (hpa - TABLES_AT);
}

bool mtrr_type_of(const struct mtrr *mtrr, uint64_t base, uint64_t size, enum mtrr_type *type)
{
	(void)mtrr, (void)base, (void)size;
	*type = MTRR_WB;
	return true;
}

bool apic_covers(uint64_t gpa, uint64_t size)
{
	(void)gpa, (void)size;
	return false;
}

bool apic_hides(uint64_t gpa, uint64_t size)
{
	return apic_covers(gpa, size);
}

bool memory_type_of(uint64_t base, uint64_t size, struct host_mapping *mapping)
{
	(void)base, (void)size, (void)mapping;
	return true;
}

/* PDPT and directories as hv/paging_i386.c makes them. */
static int setup(void **state)
{
	uint64_t *pdpt = tables[0];

	(void)state;
	memset(tables, 0, sizeof(tables));
	used = 5;
	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] = hpa_of(tables[1 + i]) | WINDOW_P;
	return 0;
}

/* What the processor finds at a linear address, in PAE mode: the hpa, or UNMAPPED. */
static int64_t look(uint32_t at, int *type)
{
	uint64_t entry = tables[0][at >> 30];
	uint64_t *table;

	assert_int_equal(entry & 0xfff, WINDOW_P); /* W and the like are reserved there */
	table = phys(entry & ~0xfffull);
	entry = table[at >> 21 & 511];
	*type = entry & WINDOW_PCD ? UNCACHED : WRITE_BACK;
	if (!(entry & WINDOW_P))
		return UNMAPPED;
	if (entry & WINDOW_LARGE)
		return (int64_t)((entry & 0x000fffffffe00000ull) | (at & 0x1fffff));
	table = phys(entry & 0x000ffffffffff000ull);
	entry = table[at >> 12 & 511];
	*type = entry & WINDOW_PCD ? UNCACHED : WRITE_BACK;
	return entry & WINDOW_P ? (int64_t)((entry & 0x000ffffffffff000ull) | (at & 0xfff))
	                        : UNMAPPED;
}

static void window_is_shifted(void **state)
{
	static const struct window_range ranges[] = {
		{0, SIZE_1M, true},
		{SIZE_1M, 0xc0000000, false},
		{0xfee00000, 0xfee01000, true},
		{0xff000000, SIZE_4G, true},
		{SIZE_4G, SIZE_4G + SIZE_1G, false},
	};
	int type;

	(void)state;
	window_map(tables[0], ranges, sizeof(ranges) / sizeof(*ranges));
	assert_int_equal(look(0x01000000, &type), 0);
	assert_int_equal(type, UNCACHED);
	assert_int_equal(look(0x01100000, &type), SIZE_1M);
	assert_int_equal(type, WRITE_BACK);
	assert_int_equal(look(0xc0ffffff, &type), 0xbfffffff);
	assert_int_equal(look(0xc1000000, &type), UNMAPPED);
	assert_int_equal(look(0xffe00123, &type), 0xfee00123);
	assert_int_equal(type, UNCACHED);
	/* The ROM of a reset; not what lies where null pointers and the image are. */
	assert_int_equal(look(0x00fffff0, &type), 0xfffffff0);
	assert_int_equal(look(0x00c00000, &type), 0xffc00000);
	for (uint32_t at = 0; at < 0x00c00000; at += PAGE_SIZE)
		assert_int_equal(look(at, &type), UNMAPPED);
}

static void device_is_added(void **state)
{
	int type;

	(void)state;
	window_map(tables[0], NULL, 0);
	assert_true(window_device(0xfec00abc));
	assert_int_equal(look(0xffc00000, &type), 0xfec00000);
	assert_int_equal(type, UNCACHED);
}

static void enough_pages_are_asked_for(void **state)
{
	static const struct window_range ranges[] = {
		{0, SIZE_1M, true}, {SIZE_1M, 0x80000000, false}, {0x90000000, 0x90003000, true}};
	uint64_t asked = window_pages(ranges, 3);

	(void)state;
	window_map(tables[0], ranges, 3);
	assert_true(used <= asked);
}

static void reach(void **state)
{
	(void)state;
	assert_true(phys_reaches(0) && phys_reaches(0xfeffffff) && phys_reaches(0xffc00000));
	assert_true(phys_reaches(0xffffffff));
	assert_false(phys_reaches(0xff000000) || phys_reaches(0xffbfffff));
	assert_false(phys_reaches(SIZE_4G) || phys_reaches(~0ull));
}

static void long_mode_is_hidden(void **state)
{
	(void)state;
	features.npt = true;
	cpuid_init();
	assert_true(cpuid_has(&long_mode));
	assert_false(cpuid_shows(&long_mode));
}

/* Whatever width the processor has. */
static void nothing_is_above(void **state)
{
	struct host_mapping mapping;

	(void)state;
	features.phys_bits = 40;
	mapping = l1_map(NULL, 0xfffff000);
	assert_int_equal(mapping.hpa, 0xfffff000);
	mapping = l1_map(NULL, SIZE_4G);
	assert_int_equal(mapping.hpa, l1_sink_hpa());
	assert_int_equal(mapping.level, 1);
	mapping = l1_map(NULL, (1ull << 40) - PAGE_SIZE);
	assert_int_equal(mapping.hpa, l1_sink_hpa());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(window_is_shifted, setup),
		cmocka_unit_test_setup(device_is_added, setup),
		cmocka_unit_test_setup(enough_pages_are_asked_for, setup),
		cmocka_unit_test(reach),
		cmocka_unit_test(long_mode_is_hidden),
		cmocka_unit_test(nothing_is_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
