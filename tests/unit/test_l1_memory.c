/*
 * Which hpa a gpa leads to: never to L0's memory, by whatever name. svm/memory/l1_memory.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"
#include "svm/memory/memory_types.h"

enum { SINK_HPA = 0x5000, L0_BASE = 0x7000000, L0_SIZE = 0x800000, WIDTH = 43 };

#define L0_MORE ((12ull << 39) + 3 * SIZE_2M)

struct features features = {.phys_bits = WIDTH};

/* Other parts of L0. */

uint64_t hpa_of(const void *at)
{
	(void)at;
	return SINK_HPA;
}

void *phys(uint64_t hpa)
{
	return (void *)(uintptr_t)hpa;
}

bool apic_covers(uint64_t gpa, uint64_t size)
{
	return 0xfee00000 - gpa < size;
}

static bool apics_are_hidden;

bool apic_hides(uint64_t gpa, uint64_t size)
{
	return apics_are_hidden && apic_covers(gpa, size);
}

/* Write-through from 4 GiB to 5 GiB and 2 MiB, and one page. */
bool memory_type_of(uint64_t base, uint64_t size, struct host_mapping *mapping)
{
	uint64_t end = SIZE_4G + SIZE_1G + SIZE_2M;

	if (base < end && base + size > end)
		return false;
	mapping->typed = (base >= SIZE_4G && base < end) || base == 0xa0000;
	mapping->type = TYPE_WT;
	return base >= SIZE_1M || size == PAGE_SIZE;
}

static void assert_sink(uint64_t gpa)
{
	struct host_mapping to = l1_map(NULL, gpa);

	assert_int_equal(to.hpa, SINK_HPA);
	assert_int_equal(to.level, 1);
}

static int set_up(void **state)
{
	(void)state;
	l1_memory_hide(L0_BASE, L0_SIZE);
	l1_memory_hide(0, 0); /* no other piece */
	l1_memory_hide(L0_MORE, SIZE_2M);
	return 0;
}

static void l0s_memory(void **state)
{
	(void)state;
	assert_sink(L0_BASE);
	assert_sink(L0_BASE + L0_SIZE - 1);
	assert_int_equal(l1_map(NULL, L0_BASE - 1).hpa, L0_BASE - 1);
	assert_int_equal(l1_map(NULL, L0_BASE - 1).level, 2);
	assert_int_equal(l1_map(NULL, L0_BASE + L0_SIZE).hpa, L0_BASE + L0_SIZE);
	assert_int_equal(l1_map(NULL, SIZE_1G).level, 3);
	assert_int_equal(l1_map(NULL, 0).level, 1);
}

/* The other piece of it, where a large machine has more. */
static void more_of_l0s_memory(void **state)
{
	(void)state;
	assert_sink(L0_MORE);
	assert_sink(L0_MORE + SIZE_2M - 1);
	assert_true(l1_memory_hidden(L0_MORE - 1, 2));
	assert_true(l1_memory_hidden(0, ~0ull));
	assert_false(l1_memory_hidden(L0_MORE - 1, 1));
	assert_false(l1_memory_hidden(L0_MORE + SIZE_2M, SIZE_1G));
	assert_false(l1_memory_hidden(0, L0_BASE));
	assert_int_equal(l1_map(NULL, L0_MORE - SIZE_1G).level, 3);
	assert_int_equal(l1_map(NULL, L0_MORE - 1).level, 2);
	assert_int_equal(l1_map(NULL, L0_MORE + SIZE_2M).level, 2);
	assert_int_equal(l1_map(NULL, L0_MORE + SIZE_1G).level, 3);
}

/* With memory encryption one of the bits above the width is no part of the address. */
static void other_names_of_it(void **state)
{
	(void)state;
	for (unsigned int bit = WIDTH; bit < 64; bit++) {
		assert_sink(1ull << bit);
		assert_sink(1ull << bit | L0_BASE);
		assert_sink(1ull << bit | SIZE_1G);
	}
	assert_int_equal(l1_map(NULL, (1ull << WIDTH) - 1).hpa, (1ull << WIDTH) - 1);
}

/* No page has two types, and each has its own. */
static void types(void **state)
{
	static const struct {
		uint64_t gpa;
		int level;
		bool typed;
	} rows[] = {
		{0x1000, 1, false},
		{0xa0000, 1, true},
		{SIZE_1G, 3, false},
		{SIZE_4G, 3, true},
		{SIZE_4G + SIZE_1G, 2, true},
		{SIZE_4G + SIZE_1G + SIZE_2M, 2, false},
		{SIZE_4G + 2 * SIZE_1G, 3, false},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct host_mapping to = l1_map(NULL, rows[i].gpa);

		assert_int_equal(to.level, rows[i].level);
		assert_int_equal(to.typed, rows[i].typed);
		assert_false(to.read_only);
		assert_true(!to.typed || to.type == TYPE_WT);
	}
	assert_false(l1_map(NULL, L0_BASE).typed);
}

static void the_apics_page(void **state)
{
	(void)state;
	assert_true(l1_map(NULL, 0xfee00000).read_only);
	assert_false(l1_map(NULL, 0xfee00000).hidden);
	apics_are_hidden = true;
	assert_true(l1_map(NULL, 0xfee00000).read_only && l1_map(NULL, 0xfee00000).hidden);
	assert_false(l1_map(NULL, 0xfee01000).hidden);
	apics_are_hidden = false;
	assert_int_equal(l1_map(NULL, 0xfee00000).level, 1);
	assert_int_equal(l1_map(NULL, 0xfee01000).level, 1);
	assert_int_equal(l1_map(NULL, 0xfec00000).level, 2);
}

/* It is read where it is no memory of L1's, too, and never where L0 is. */
static void code(void **state)
{
	(void)state;
	l1_memory_add(0x200000, 0x1000);
	l1_code_add(0x300800, 0x1000);
	l1_code_add(L0_BASE - PAGE_SIZE, 2 * PAGE_SIZE);
	assert_ptr_equal(l1_code_page(0x200000), phys(0x200000));
	assert_ptr_equal(l1_code_page(0x300000), phys(0x300000));
	assert_ptr_equal(l1_code_page(0x301000), phys(0x301000));
	assert_null(l1_code_page(0x302000));
	assert_null(l1_page(NULL, 0x300000));
	assert_non_null(l1_code_page(L0_BASE - PAGE_SIZE));
	assert_null(l1_code_page(L0_BASE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l0s_memory),        cmocka_unit_test(more_of_l0s_memory),
		cmocka_unit_test(other_names_of_it), cmocka_unit_test(types),
		cmocka_unit_test(the_apics_page),    cmocka_unit_test(code),
	};

	return cmocka_run_group_tests_name("l1_memory", tests, set_up, NULL);
}
