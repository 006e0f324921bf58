/*
 * What L0's window maps, looked up as the processor would: memory write-back, devices uncached, and
 * nothing else; no large page over two memory types. hv/window.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/memory.h"
#include "hv/mtrr.h"
#include "hv/x86.h"

static bool giant;

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)leaf, (void)subleaf;
	return (struct cpuid_regs){.edx = giant ? 1u << 26 : 0};
}

#define cpuid fake_cpuid
#include "hv/window.c"

enum { PAGES = 4096, LEVELS = 4, WINDOW = 256, UNMAPPED = -1, UNCACHED, WRITE_BACK };

#define MIB (1ull << 20)
#define GIB (1ull << 30)

struct mtrr mtrr_real;
static uint64_t tables[PAGES][512] __attribute__((aligned(4096)));
static unsigned int used, asked; /* asked: for types */

void *heap_pages(uint64_t pages)
{
	assert_true(used + pages <= PAGES);
	used += pages;
	return tables[used - pages];
}

uint64_t hpa_of(const void *address)
{
	return (uint64_t)((const char *)address - (char *)tables) + GIB;
}

void *phys(uint64_t hpa)
{
	return (char *)tables + (hpa - GIB);
}

/* The types of memory: one edge at 3 MiB, one at 2.5 GiB; the first MiB has pages only. */
bool mtrr_type_of(const struct mtrr *mtrr, uint64_t base, uint64_t size, enum mtrr_type *type)
{
	static const uint64_t edges[] = {3 * MIB, 2560 * MIB};

	assert_ptr_equal(mtrr, &mtrr_real);
	asked++;
	*type = MTRR_WB;
	for (unsigned int i = 0; i < 2; i++) {
		if (base < edges[i] && base + size > edges[i])
			return false;
	}
	return base >= MIB || size == 4096;
}

/* What is there, and in *size how large the page is. */
static int look(uint64_t hpa, uint64_t *size)
{
	uint64_t *table = tables[0], entry = 0;
	enum mtrr_type type;

	for (unsigned int level = LEVELS; level; level--) {
		unsigned int shift = 12 + 9 * (level - 1);

		entry = table[(hpa >> shift & 511) + (level == LEVELS ? WINDOW : 0)];
		*size = 1ull << shift;
		if (!(entry & 1))
			return UNMAPPED;
		if (level == 1 || (entry & 1 << 7))
			break;
		assert_int_equal(entry & 0x1f, 3);
		table = phys(entry & ~0xfffull);
	}
	assert_true(entry >> 63);
	assert_int_equal(entry & 0x000ffffffffff000 & ~(*size - 1), hpa & ~(*size - 1));
	assert_true(mtrr_type_of(&mtrr_real, hpa & ~(*size - 1), *size, &type));
	if ((entry & 0x1f) == 3)
		return WRITE_BACK;
	assert_int_equal(entry & 0x1f, 0x1b);
	return UNCACHED;
}

static int kind_of(const struct window_range *ranges, unsigned int count, uint64_t hpa)
{
	for (unsigned int i = 0; i < count; i++) {
		if (hpa >= ranges[i].base && hpa < ranges[i].end)
			return ranges[i].device ? UNCACHED : WRITE_BACK;
	}
	return UNMAPPED;
}

static void map(const struct window_range *memory, unsigned int count)
{
	memset(tables, 0, used * sizeof(*tables));
	used = 1;
	asked = 0;
	window_map(tables[0], memory, count);
	assert_true(used <= window_pages(memory, count));
}

/* Each page near an end of memory from 4 GiB on, and some far away. */
static void assert_mapped_above(const struct window_range *memory, unsigned int count)
{
	uint64_t size;

	for (unsigned int i = 0; i < 2 * count; i++) {
		uint64_t edge = i & 1 ? memory[i / 2].end : memory[i / 2].base;

		for (uint64_t at = edge - 8192; at < edge + 8192; at += 4096) {
			if (at >= 4 * GIB && at < 1ull << 46)
				assert_int_equal(look(at, &size), kind_of(memory, count, at));
		}
	}
	for (uint64_t at = 4 * GIB; at < 1ull << 46; at <<= 1) {
		assert_int_equal(look(at, &size), kind_of(memory, count, at));
	}
}

/* ... and each page below 4 GiB. */
static void assert_mapped(const struct window_range *memory, unsigned int count)
{
	uint64_t size;

	map(memory, count);
	for (uint64_t at = 0; at < 4 * GIB; at += 4096)
		assert_int_equal(look(at, &size), kind_of(memory, count, at));
	assert_mapped_above(memory, count);
}

static void a_machine_of_pc_firmware(void **state)
{
	static const struct window_range memory[] = {
		{0, 0xa0000, false},
		{0xa0000, MIB, true},
		{MIB, 2047 * MIB, false},
		{2047 * MIB, 2047 * MIB + 0x21000, true},
		{0xfec00000, 0xfef00000, true},
		{4 * GIB, 6 * GIB + 512 * MIB, false},
		{(1ull << 40) - 4 * GIB, (1ull << 40) - 12 * MIB, false}, /* up to a hole */
		{(1ull << 40) + 4096, (1ull << 40) + GIB, false},
	};
	uint64_t size;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		giant = i;
		assert_mapped(memory, sizeof(memory) / sizeof(*memory));
		assert_int_equal(look(5 * GIB, &size), WRITE_BACK);
		assert_int_equal(size, giant ? GIB : 2 * MIB);
		assert_int_equal(look(0xfee00000, &size), UNCACHED);
		assert_int_equal(look((1ull << 40) - 4096, &size), UNMAPPED);
	}
}

/* Single pages; a device as large as a GiB; memory that reaches over 4 GiB. */
static void odd_ends(void **state)
{
	static const struct window_range ranges[] = {
		{0x1000, 0x2000, false},
		{0x2000, 0x3000, true},
		{0x5000, 0x6000, false},
		{GIB, 2 * GIB + 4096, true},
		{3 * GIB + 4096, 5 * GIB + 4096, false},
	};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		giant = i;
		assert_mapped(ranges, 5);
	}
}

/* One page, and nothing else, wherever it is; nothing changes where something is mapped. */
static void a_device_that_comes(void **state)
{
	static const struct window_range ranges[] = {
		{0, 0xa0000, false},
		{MIB, GIB, false},
		{GIB, 2 * GIB, true},
		{0xfec00000, 0xfef00000, true},
	};
	unsigned int tables_used;
	uint64_t size;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		giant = i;
		map(ranges, 4);
		tables_used = used;
		assert_true(window_device(0x3000) && window_device(GIB + 0x3000) &&
		            window_device(0xfee00000));
		assert_int_equal(look(0x3000, &size), WRITE_BACK);
		for (uint64_t n = 0; n < WINDOW_DEVICES; n++) {
			uint64_t at = 0x80400000 + n * 35 * MIB + n * 4096;

			assert_int_equal(look(at, &size), UNMAPPED);
			assert_true(window_device(at + 0x123));
			assert_int_equal(look(at, &size), UNCACHED);
			assert_int_equal(size, 4096);
			assert_int_equal(look(at - 4096, &size), UNMAPPED);
			assert_int_equal(look(at + 4096, &size), UNMAPPED);
			assert_true(window_device(at));
		}
		/* All tables are used: pages beside those there are, and no others. */
		assert_true(window_device(0x80402000));
		assert_int_equal(look(0x80402000, &size), UNCACHED);
		assert_false(window_device(0x80600fff));
		assert_int_equal(look(0x80600000, &size), UNMAPPED);
		assert_int_equal(used, tables_used);
	}
}

/* As many edges as a map has room for, each in a block of its own. */
static void many_ranges(void **state)
{
	static struct window_range memory[512];

	(void)state;
	giant = true;
	for (unsigned int i = 0; i < 512; i++) {
		memory[i].base = (i + 8) * GIB + 4096;
		memory[i].end = (i + 8) * GIB + 400 * MIB + 4096;
	}
	assert_mapped(memory, 512);
}

/* Steps that it may take: one for each GiB, and for the pages at each edge. */
static void assert_short(const struct window_range *memory, unsigned int count)
{
	uint64_t gib = 8;

	for (unsigned int i = 0; i < count; i++)
		gib += (memory[i].end - memory[i].base) / GIB;
	assert_true(asked <= 2 * (gib + (2 * count + 4) * 2 * 512));
}

/*
 * 12 TiB with HyperTransport's hole below 1 TiB; and the same in four pieces far from each other:
 * as much to do, and no table for what is between them.
 */
static void much_memory(void **state)
{
	static const struct window_range memory[] = {
		{0, 0xa0000, false},
		{MIB, 2 * GIB, false},
		{4 * GIB, 0xfd00000000, false},
		{1ull << 40, (12ull << 40) + 2 * GIB, false},
	};
	static const struct window_range sparse[] = {
		{0, 2 * GIB, false},
		{4ull << 40, 7ull << 40, false},
		{15ull << 40, 18ull << 40, false},
		{(33ull << 40) + 4096, 36ull << 40, false},
		{(63ull << 40), (66ull << 40) + 4096, false},
	};
	uint64_t size;

	(void)state;
	giant = true;
	map(memory, 4);
	assert_mapped_above(memory, 4);
	assert_short(memory, 4);
	assert_int_equal(look(0xfd00000000 - 4096, &size), WRITE_BACK);
	assert_int_equal(look(0xfd00000000, &size), UNMAPPED);
	assert_int_equal(look((1ull << 40) - 4096, &size), UNMAPPED);
	assert_int_equal(look(11ull << 40, &size), WRITE_BACK);
	assert_int_equal(size, GIB);
	map(sparse, 5);
	assert_mapped_above(sparse, 5);
	assert_short(sparse, 5);
	assert_true(window_pages(sparse, 5) < 256);
	assert_int_equal(look(8ull << 40, &size), UNMAPPED);
	assert_int_equal(size, 512 * GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_of_pc_firmware),
		cmocka_unit_test(odd_ends),
		cmocka_unit_test(a_device_that_comes),
		cmocka_unit_test(many_ranges),
		cmocka_unit_test(much_memory),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
