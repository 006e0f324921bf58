/*
 * hv/paging.c: with what L0 goes on after the move of its image. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static unsigned long fake_read_cr3(void);
static unsigned long fake_read_cr4(void);
static void fake_write_cr3(unsigned long value);
#define read_cr3   fake_read_cr3
#define read_cr4   fake_read_cr4
#define write_cr3  fake_write_cr3
#define image_size fake_image_size
#define image_base fake_image_base
#include "hv/image.h"
#undef image_size
enum { IMAGE_PAGES = 3, PLACE = 0x800000, TABLES = 16 };
#define image_size() ((uint64_t)IMAGE_PAGES * PAGE_SIZE)
#include "hv/paging.c"

char fake_image_base[IMAGE_PAGES];
uint64_t image_hpa;

static uint64_t tables[TABLES][TABLE_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static unsigned int used;
static unsigned long cr4;
static uint64_t moved_to, new_cr3, new_cr4;

static unsigned long fake_read_cr3(void)
{
	return new_cr3;
}

static unsigned long fake_read_cr4(void)
{
	return cr4;
}

static void fake_write_cr3(unsigned long value)
{
	assert_int_equal(value, new_cr3);
}

void *heap_pages(uint64_t pages)
{
	assert_int_equal(pages, 1);
	assert_true(used < TABLES);
	return tables[used++];
}

uint64_t hpa_of(const void *address)
{
	return (uint64_t)(uintptr_t)address;
}

uint64_t *window_table(uint64_t *table, unsigned int index)
{
	if (!table[index])
		table[index] = hpa_of(heap_pages(1)) | WINDOW_P | WINDOW_W;
	return (uint64_t *)(uintptr_t)(table[index] & ~(uint64_t)(PAGE_SIZE - 1));
}

void window_map(uint64_t *root, const struct window_range *memory, unsigned int count)
{
	(void)root, (void)memory, (void)count;
}

void move_and_switch(uint64_t to, const void *from, uint64_t bytes, uint64_t cr3, uint64_t value)
{
	assert_ptr_equal(from, fake_image_base);
	assert_int_equal(bytes, image_size());
	moved_to = to;
	new_cr3 = cr3;
	new_cr4 = value;
}

static int fresh(void **state)
{
	(void)state;
	memset(tables, 0, sizeof(tables));
	used = 0;
	cr4 = CR4_PAE;
	return 0;
}

static void takes_the_levels(void **state)
{
	(void)state;
	paging_move_image(PLACE, NULL, 0, false);
	assert_int_equal(moved_to, PLACE);
	assert_int_equal(image_hpa, PLACE);
	assert_int_equal(new_cr4, CR4_PAE);
	assert_ptr_equal((void *)(uintptr_t)new_cr3, pml4);
	fresh(NULL);
	paging_move_image(PLACE, NULL, 0, true);
	assert_int_equal(new_cr4, CR4_PAE | CR4_LA57);
	assert_ptr_not_equal((void *)(uintptr_t)new_cr3, pml4);
}

/* exception_load() has set it before; without it a machine check is a shutdown. */
static void keeps_machine_checks(void **state)
{
	(void)state;
	cr4 = CR4_PAE | CR4_MCE;
	paging_move_image(PLACE, NULL, 0, false);
	assert_int_equal(new_cr4, CR4_PAE | CR4_MCE);
	fresh(NULL);
	cr4 = CR4_PAE | CR4_MCE;
	paging_move_image(PLACE, NULL, 0, true);
	assert_int_equal(new_cr4, CR4_PAE | CR4_MCE | CR4_LA57);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_the_levels),
		TEST(keeps_machine_checks),
	};

	return cmocka_run_group_tests_name("paging", tests, NULL, NULL);
}
