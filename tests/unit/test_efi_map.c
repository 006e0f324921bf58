/*
 * boot/efi_map.c: the map as L1 gets it, and what is spared. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi_map.h"

enum { BYTES = 48, RUNTIME_CODE = 5, RUNTIME_DATA = 6, MAPPED_IO = 11 };
#define RUNTIME    (1ull << 63)
#define WRITE_BACK 8ull

static struct boot_efi efi;
static struct memmap told;
static uint8_t out[2 * BOOT_EFI_MAP_SIZE];
static uint32_t out_bytes;

static void put(uint32_t type, uint64_t base, uint64_t pages, uint64_t attributes)
{
	struct efi_descriptor d = {type, 0, base, base + 1, pages, attributes};

	memcpy(efi.map + efi.map_bytes, &d, sizeof(d));
	memset(efi.map + efi.map_bytes + sizeof(d), 0x5a, BYTES - sizeof(d));
	efi.map_bytes += BYTES;
}

static int fresh(void **state)
{
	(void)state;
	memset(&efi, 0, sizeof(efi));
	efi.descriptor_bytes = BYTES;
	told.count = 0;
	put(EFI_MEMORY_BOOT_DATA, 0, 0x10, WRITE_BACK);
	put(EFI_MEMORY_FREE, 0x10000, 0x90, WRITE_BACK);
	put(RUNTIME_CODE, 0x200000, 0x10, RUNTIME | WRITE_BACK);
	put(RUNTIME_DATA, 0x210000, 0x10, RUNTIME | WRITE_BACK);
	put(EFI_MEMORY_FREE, 0x300000, 0x1000, WRITE_BACK);
	put(EFI_MEMORY_LOADER_CODE, 0x1300000, 0x100, WRITE_BACK);
	put(MAPPED_IO, 0xffc00000, 0x400, RUNTIME | 1);
	memmap_add(&told, 0, 0xa0000, MEM_USABLE);
	memmap_add(&told, 0x200000, 0x20000, MEM_RESERVED);
	memmap_add(&told, 0x300000, 0x1100000, MEM_USABLE);
	return 0;
}

static void write_out(void)
{
	memset(out, 0xee, sizeof(out));
	out_bytes = efi_map_out(&efi, &told, out);
	assert_true(out_bytes <= efi_map_out_size(&efi, told.count));
	assert_int_equal(out[out_bytes], 0xee);
	assert_int_equal(out_bytes % BYTES, 0);
}

/* Each piece keeps the attributes and what lies behind the fields that are known. */
static void is(uint32_t i, uint32_t type, uint64_t base, uint64_t pages, uint64_t attributes)
{
	struct efi_descriptor d;

	assert_true((i + 1) * BYTES <= out_bytes);
	memcpy(&d, out + (size_t)i * BYTES, sizeof(d));
	assert_int_equal(d.type, type);
	assert_int_equal(d.base, base);
	assert_int_equal(d.pages, pages);
	assert_int_equal(d.attributes, attributes);
	assert_int_equal(out[(i + 1) * BYTES - 1], 0x5a);
}

static void stays_as_it_is(void **state)
{
	(void)state;
	write_out();
	assert_int_equal(out_bytes, efi.map_bytes);
	assert_memory_equal(out, efi.map, out_bytes);
}

/* L0's region amid free memory, over two descriptors, and its information in base memory. */
static void reserves_what_is_not_told(void **state)
{
	(void)state;
	memmap_add(&told, 0x1200000, 0x200000, MEM_RESERVED);
	memmap_add(&told, 0x8f800, 0x10400, MEM_RESERVED); /* by whole pages, and only so far */
	memmap_add(&told, 0x400000, 0x1000, MEM_RESERVED);
	write_out();
	assert_int_equal(out_bytes, efi.map_bytes + 4 * BYTES);
	is(0, EFI_MEMORY_BOOT_DATA, 0, 0x10, WRITE_BACK);
	is(1, EFI_MEMORY_FREE, 0x10000, 0x7f, WRITE_BACK);
	is(2, EFI_MEMORY_RESERVED, 0x8f000, 0x11, WRITE_BACK);
	is(3, RUNTIME_CODE, 0x200000, 0x10, RUNTIME | WRITE_BACK);
	is(4, RUNTIME_DATA, 0x210000, 0x10, RUNTIME | WRITE_BACK);
	is(5, EFI_MEMORY_FREE, 0x300000, 0x100, WRITE_BACK);
	is(6, EFI_MEMORY_RESERVED, 0x400000, 1, WRITE_BACK);
	is(7, EFI_MEMORY_FREE, 0x401000, 0xdff, WRITE_BACK);
	is(8, EFI_MEMORY_RESERVED, 0x1200000, 0x100, WRITE_BACK);
	is(9, EFI_MEMORY_RESERVED, 0x1300000, 0x100, WRITE_BACK);
	is(10, MAPPED_IO, 0xffc00000, 0x400, RUNTIME | 1);
}

/* What firmware itself keeps stays what it is, whatever the ranges say. */
static void leaves_the_firmware_alone(void **state)
{
	(void)state;
	memmap_add(&told, 0, UINT64_MAX, MEM_BAD);
	write_out();
	assert_int_equal(out_bytes, efi.map_bytes);
	is(0, EFI_MEMORY_RESERVED, 0, 0x10, WRITE_BACK);
	is(2, RUNTIME_CODE, 0x200000, 0x10, RUNTIME | WRITE_BACK);
	is(6, MAPPED_IO, 0xffc00000, 0x400, RUNTIME | 1);
}

static void survives_broken_descriptors(void **state)
{
	(void)state;
	put(EFI_MEMORY_FREE, 0xfffffffffffff000, UINT64_MAX, 0);
	put(EFI_MEMORY_FREE, 0x123, 0x1000, 0);
	put(EFI_MEMORY_FREE, 0x400000, 0, 0);
	memmap_add(&told, 0x400000, 0x1000, MEM_RESERVED);
	write_out();
	memmap_add(&told, 0xffffffffffff0000, 0x10000, MEM_RESERVED);
	write_out();
	for (uint32_t i = 0; i < 200; i++)
		memmap_add(&told, 0x500000 + i * 0x2000, 0x1000, MEM_RESERVED);
	write_out();
	assert_true(efi_map_valid(BYTES, BYTES));
	assert_true(efi_map_valid(0, 40));
	assert_false(efi_map_valid(39, 39));
	assert_false(efi_map_valid(BYTES + 1, BYTES));
	assert_false(efi_map_valid(0, 0));
	assert_false(efi_map_valid(8192, 8192));
}

/* Each of them would be cut by the same ranges: there is no room for that. */
static void bounds_what_overlaps(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		memmap_add(&told, 0x400000 + i * 0x2000, 0x1000, MEM_RESERVED);
	for (uint32_t i = 0; i < 50; i++)
		put(EFI_MEMORY_FREE, 0x300000, 0x1000, WRITE_BACK);
	put(RUNTIME_DATA, 0x220000, 0x10, RUNTIME | WRITE_BACK);
	write_out();
	/* The first one is cut; the last ones are reserved, and what is the firmware's is there. */
	is(4, EFI_MEMORY_FREE, 0x300000, 0x100, WRITE_BACK);
	is(out_bytes / BYTES - 2, EFI_MEMORY_RESERVED, 0x300000, 0x1000, WRITE_BACK);
	is(out_bytes / BYTES - 1, RUNTIME_DATA, 0x220000, 0x10, RUNTIME | WRITE_BACK);
}

static void spares_boot_services(void **state)
{
	(void)state;
	put(EFI_MEMORY_BOOT_CODE, 0x400000, 0x10, WRITE_BACK);
	assert_true(efi_map_spare(&efi, &told));
	assert_true(memmap_covers(&told, 0, 0x10000, MEM_RESERVED));
	assert_true(memmap_covers(&told, 0x10000, 0x90000, MEM_USABLE));
	assert_true(memmap_covers(&told, 0x400000, 0x10000, MEM_RESERVED));
	assert_true(memmap_covers(&told, 0x300000, 0x100000, MEM_USABLE));
	for (uint64_t i = 0; told.count < BOOT_MAX_RANGES; i++)
		memmap_add(&told, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE);
	put(EFI_MEMORY_BOOT_CODE, 0x500000, 0x10, WRITE_BACK);
	assert_false(efi_map_spare(&efi, &told));
}

static void knows_runtime_services(void **state)
{
	(void)state;
	put(EFI_MEMORY_RUNTIME_CODE, 0x500000, 0x10, RUNTIME | WRITE_BACK);
	put(RUNTIME_DATA, 1ull << 33, 0x10, RUNTIME | WRITE_BACK);
	assert_true(efi_map_runtime(&efi, &told));
	assert_true(memmap_covers(&told, 0x500000, 0x10000, MEM_RUNTIME));
	assert_true(memmap_covers(&told, 1ull << 33, 0x10000, MEM_RUNTIME));
	assert_true(memmap_covers(&told, 0x10000, 0x90000, MEM_USABLE));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stays_as_it_is),
		TEST(reserves_what_is_not_told),
		TEST(leaves_the_firmware_alone),
		TEST(survives_broken_descriptors),
		TEST(knows_runtime_services),
		TEST(bounds_what_overlaps),
		TEST(spares_boot_services),
	};

	return cmocka_run_group_tests_name("efi_map", tests, NULL, NULL);
}
