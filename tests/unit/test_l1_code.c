/*
 * boot/l1_code.c: from where L0 may read L1's code: memory and ROMs, never a device. Relies on
 * cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/l1_code.h"
#include "hv/mtrr.h"
#include "hv/x86.h"
#include "svm/memory/l1_memory.h"

enum { RANGES = 32 };

struct mtrr mtrr_real;
static struct l1_memory_range told[RANGES];
static unsigned int count;
static struct memmap map;

void l1_code_add(uint64_t base, uint64_t size)
{
	told[count++] = (struct l1_memory_range){base, base + size};
}

/* As firmware has it: uncached from 2 GiB and two pages on, but for one page. */
bool mtrr_type_of(const struct mtrr *mtrr, uint64_t base, uint64_t size, enum mtrr_type *type)
{
	const uint64_t edge = 2ull * SIZE_1G + 2 * PAGE_SIZE, cached = 0xe0003000;

	assert_ptr_equal(mtrr, &mtrr_real);
	assert_int_equal(base % size, 0);
	*type = base < edge || base == cached ? MTRR_WB : MTRR_UC;
	return size == PAGE_SIZE ||
	       (!(base < edge && base + size > edge) && !(base <= cached && base + size > cached));
}

static bool is_told(uint64_t hpa)
{
	for (unsigned int i = 0; i < count; i++) {
		if (hpa >= told[i].base && hpa < told[i].end)
			return true;
	}
	return false;
}

static void tell(void)
{
	count = 0;
	l1_code_tell(&map);
	assert_in_range(count, 0, RANGES - 1);
}

static int fresh(void **state)
{
	(void)state;
	map.count = 0;
	return 0;
}

static void what_every_machine_has(void **state)
{
	(void)state;
	tell();
	assert_true(is_told(0x9fd00)); /* the page that base memory ends in, and firmware's part */
	assert_false(is_told(0xa0000));
	assert_false(is_told(0xbffff));
	assert_true(is_told(0xc0000));
	assert_true(is_told(0xfffff));
	assert_false(is_told(0x100000));
	assert_false(is_told(0xfffeffff));
	assert_true(is_told(0xfffffff0));
}

static void what_firmware_keeps(void **state)
{
	(void)state;
	memmap_add(&map, 0x7fe0800, 0x1f800, MEM_RESERVED); /* memory, from amid a page on */
	memmap_add(&map, 2ull * SIZE_1G, SIZE_2M, MEM_RESERVED);
	memmap_add(&map, 0xe0000000, 0x10000000, MEM_RESERVED); /* PCI's configuration */
	memmap_add(&map, 0xa0000, 0x20000, MEM_RESERVED);
	memmap_add(&map, 5ull * SIZE_1G, SIZE_1G, MEM_RESERVED);
	memmap_add(&map, 0x6000000, 0x100000, MEM_BAD);
	tell();
	assert_true(is_told(0x7fe0000));
	assert_true(is_told(0x7ffffff));
	assert_false(is_told(0x8000000));
	assert_true(is_told(2ull * SIZE_1G + PAGE_SIZE));
	assert_false(is_told(2ull * SIZE_1G + 2 * PAGE_SIZE));
	assert_false(is_told(0xe0000000));
	assert_true(is_told(0xe0003000));
	assert_false(is_told(0xe0004000));
	assert_false(is_told(0xa0000));
	assert_false(is_told(5ull * SIZE_1G));
	assert_false(is_told(0x6000000));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_every_machine_has),
		TEST(what_firmware_keeps),
	};

	return cmocka_run_group_tests_name("l1_code", tests, NULL, NULL);
}
