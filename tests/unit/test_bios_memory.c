/*
 * boot/bios_memory.c: is there a BIOS, where its handler goes, and what the table beside it holds.
 * That it answers is tests/system/bios.t. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/bios_memory.h"
#include "tests/unit/arena.h"

#define BASE_KIB 0x413u
#define VECTOR15 0x54u
#define ENTRY    20u

#define CODE 120u /* tests/unit/fake_int15.c */
#define DATA 100u
extern const uint8_t int15_begin[];

static struct memmap map;

static int fresh(void **state)
{
	(void)state;
	arena_new(0x100000);
	put32(0x10 * 4, 0xc0001234);
	put32(0x13 * 4, 0xf000e3fe);
	put32(VECTOR15, 0xf000f859);
	put16(BASE_KIB, 639);
	map.count = 0;
	memmap_add(&map, 0, 0x9fc00, MEM_USABLE);
	memmap_add(&map, 0x9fc00, 0x400, MEM_RESERVED);
	memmap_add(&map, 0xf0000, 0x10000, MEM_RESERVED);
	memmap_add(&map, 0x100000, 0x7e00000, MEM_USABLE);
	memmap_add(&map, 0x7f00000, 0x100000, MEM_RESERVED);
	memmap_add(&map, 0x100000000, 0x40000000, MEM_USABLE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void knows_a_bios(void **state)
{
	static const uint16_t none[] = {0, 255, 641, 0xffff};

	(void)state;
	assert_true(bios_is_there());
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		put16(BASE_KIB, none[i]);
		assert_false(bios_is_there());
	}
	put16(BASE_KIB, 600); /* a handler in base memory that is not offered */
	put32(VECTOR15, 0x96000000);
	assert_true(bios_is_there());
	put32(VECTOR15, 0x95ff000f);
	assert_false(bios_is_there());
	put32(VECTOR15, 0xffff0010);
	assert_false(bios_is_there());
	put32(VECTOR15, 0xffff000f);
	assert_true(bios_is_there());
	put32(0x13 * 4, 0);
	assert_false(bios_is_there());
	for (int byte = 0; byte < 256; byte++) { /* memory filled with anything */
		memset(at(0), byte, 0x1000);
		assert_false(bios_is_there());
	}
}

static void leaves_other_machines_alone(void **state)
{
	uint8_t page[0x1000];

	(void)state;
	memset(at(0), 0xaf, sizeof(page));
	memset(page, 0xaf, sizeof(page));
	assert_true(bios_memory_reserve(&map));
	assert_int_equal(map.count, 6);
	assert_true(bios_memory_hook(&map));
	assert_memory_equal(at(0), page, sizeof(page));
}

static void answers_from_the_map(void **state)
{
	uint32_t place;

	(void)state;
	assert_true(bios_memory_reserve(&map));
	assert_true(memmap_covers(&map, 0x9fc00 - 0x400, 0x800, MEM_RESERVED));
	assert_int_equal(get32(VECTOR15), 0xf000f859);
	assert_true(memmap_add(&map, 0x9e000, 0x1000, MEM_RESERVED));
	assert_true(memmap_add(&map, 0x7800000, 0x400000, MEM_RESERVED));
	assert_true(bios_memory_hook(&map));
	assert_int_equal(get32(VECTOR15) & 0xffff, 0);
	place = get32(VECTOR15) >> 16 << 4;
	assert_int_equal(place % 1024, 0);
	assert_memory_equal(at(place), int15_begin, DATA);
	assert_int_equal(get32(place + DATA), 0xf000f859);
	assert_int_equal(get32(place + DATA + 4), map.count);
	assert_true(memmap_covers(&map, place, CODE + map.count * ENTRY, MEM_RESERVED));
	for (uint32_t i = 0; i < map.count; i++) {
		assert_int_equal(get64(place + CODE + i * ENTRY), map.range[i].base);
		assert_int_equal(get64(place + CODE + i * ENTRY + 8), map.range[i].size);
		assert_int_equal(get32(place + CODE + i * ENTRY + 16), map.range[i].type);
	}
	assert_int_equal(get16(place + DATA + 8), 15 * 1024);
	assert_int_equal(get16(place + DATA + 10), (0x7800000 - 0x1000000) >> 16);
	assert_int_equal(get32(place + DATA + 12), (0x7800000 - 0x100000) >> 10);
	assert_int_equal(get16(place + DATA + 16), 63 * 1024);
	assert_int_equal(get16(BASE_KIB), 0x9e000 >> 10);
}

static void tells_of_holes_and_ends(void **state)
{
	uint32_t data;

	(void)state;
	memmap_add(&map, 0xf00000, 0x100000, MEM_RESERVED); /* an ISA hole at 15 MiB */
	assert_true(bios_memory_reserve(&map));
	assert_true(bios_memory_hook(&map));
	data = (get32(VECTOR15) >> 16 << 4) + DATA;
	assert_int_equal(get16(data + 8), 14 * 1024);
	assert_int_equal(get16(data + 10), (0x7f00000 - 0x1000000) >> 16);
	assert_int_equal(get32(data + 12), 14 * 1024);
	assert_int_equal(get16(data + 16), 14 * 1024);

	fresh(state);
	memmap_add(&map, 0x100000, 0x10000, MEM_RESERVED); /* nothing at 1 MiB */
	memmap_add(&map, 0x1000000, 1, MEM_RESERVED);      /* nor at 16 */
	assert_true(bios_memory_reserve(&map));
	assert_true(bios_memory_hook(&map));
	data = (get32(VECTOR15) >> 16 << 4) + DATA;
	assert_int_equal(get16(data + 8), 0);
	assert_int_equal(get16(data + 10), 0);
	assert_int_equal(get32(data + 12), 0);
	assert_int_equal(get16(data + 16), 0);

	fresh(state);
	map.count = 0; /* all that the calls can tell, and more */
	memmap_add(&map, 0, 1ull << 40, MEM_USABLE);
	assert_true(bios_memory_reserve(&map));
	assert_true(bios_memory_hook(&map));
	data = (get32(VECTOR15) >> 16 << 4) + DATA;
	assert_int_equal(get16(data + 8), 15 * 1024);
	assert_int_equal(get16(data + 10), 0xffff);
	assert_int_equal(get32(data + 12), 0xffffff);
	assert_int_equal(get16(data + 16), 63 * 1024);
}

static void says_when_there_is_no_room(void **state)
{
	(void)state;
	assert_true(bios_memory_reserve(&map));
	for (uint64_t i = 0; map.count < 200; i++)
		memmap_add(&map, 0x2000000 + i * 0x2000, 0x1000, MEM_RESERVED);
	assert_false(bios_memory_hook(&map));
	assert_int_equal(get32(VECTOR15), 0xf000f859);

	fresh(state);
	memmap_add(&map, 0x10000, 0x90000, MEM_RESERVED);
	assert_false(bios_memory_reserve(&map));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_a_bios),
		TEST(leaves_other_machines_alone),
		TEST(answers_from_the_map),
		TEST(tells_of_holes_and_ends),
		TEST(says_when_there_is_no_room),
	};

	return cmocka_run_group_tests_name("bios_memory", tests, NULL, NULL);
}
