/*
 * Where L0's memory lies on machines of all sizes, and that no memory is believed in where the
 * processor has none: boot/layout.c and boot/holes.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/holes.h"
#include "boot/layout.h"
#include "svm/features.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

struct features features;

static void holes_of_families(void **state)
{
	static const struct {
		uint8_t family, bits;
		uint64_t base;
	} rows[] = {
		{0xf, 40, 0xfd00000000},     {0x10, 48, 0xfd00000000},
		{0x15, 48, 0xfd00000000},    {0x16, 40, 0xfd00000000},
		{0x17, 48, 0xfffd00000000},  {0x17, 43, 0x7fd00000000},
		{0x19, 52, 0xffffd00000000}, {0x19, 46, 0x3ffd00000000},
		{0x19, 51, 0x7fffd00000000}, {0x1a, 52, 0xffffd00000000},
		{0x18, 43, 0x7fd00000000},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct mem_range hole;

		/* 4 levels of L0's tables make no hole smaller. */
		features = (struct features){
			.family = rows[i].family, .address_bits = rows[i].bits, .phys_bits = 36};
		hole = hole_of_hypertransport();
		assert_int_equal(hole.base, rows[i].base);
		assert_int_equal(hole.size, 12 * GIB);
	}
	features = (struct features){.family = 0x14, .address_bits = 36, .phys_bits = 36};
	assert_int_equal(hole_of_hypertransport().size, 0);
}

static void old_processor(void)
{
	features = (struct features){.family = 0x15, .address_bits = 48};
}

/* Whatever firmware calls it. */
static void no_memory_is_in_a_hole(void **state)
{
	static const uint32_t types[] = {MEM_HOTPLUG, MEM_USABLE,     MEM_ACPI,
	                                 MEM_BAD,     MEM_PERSISTENT, MEM_PERSISTENT_OLD};
	static struct memmap map;

	(void)state;
	old_processor();
	for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++) {
		map.count = 0;
		assert_true(memmap_add(&map, 4 * GIB, 2 * TIB, types[i]));
		assert_true(holes_cut(&map));
		assert_int_equal(map.count, 3);
		assert_int_equal(map.range[0].base + map.range[0].size, 0xfd00000000);
		assert_int_equal(map.range[1].type, MEM_HOLE);
		assert_int_equal(map.range[2].base, TIB);
		assert_int_equal(map.range[2].type, types[i]);
	}
	map.count = 0;
	for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++)
		assert_true(memmap_add(&map, i * 0x2000, 0x1000, MEM_USABLE));
	assert_false(holes_cut(&map));
}

struct machine {
	const struct mem_range *usable;
	unsigned int count;
	uint64_t cpus, pool;
};

static struct memmap map, before;
static struct layout layout;
static struct layout_need need;

static bool choose(const struct machine *machine, bool tables_below)
{
	uint64_t memory = 0, end = 0;
	bool found;

	map.count = 0;
	for (unsigned int i = 0; i < machine->count; i++) {
		assert_true(memmap_add(&map, machine->usable[i].base, machine->usable[i].size,
		                       MEM_USABLE));
		memory += machine->usable[i].size;
		end = machine->usable[i].base + machine->usable[i].size;
	}
	old_processor();
	assert_true(holes_cut(&map));
	before = map;
	need.near = 2 * MIB;
	need.processors = (machine->cpus - 1) * 192 * KIB;
	need.tables = machine->pool + (machine->cpus - 1) * POOL_EACH;
	need.metadata = (need.tables / 8 + end / 4096) & ~0xfffull;
	need.tables_below = tables_below;
	memset(&layout, 0x5a, sizeof(layout));
	found = layout_choose(&map, &need, &layout);
	/* In the end it is a small part of the machine: 1/32 of memory, and what processors are. */
	assert_true(!found || layout.below.size + layout.above.size <=
	                              memory / 32 + machine->cpus * 512 * KIB + 8 * MIB);
	return found;
}

static bool lies_in(uint64_t base, uint64_t size, const struct mem_range *range)
{
	return base >= range->base && base - range->base <= range->size &&
	       size <= range->size - (base - range->base);
}

/* Each part has its place, its own, in memory, and L1 is not to be told of it. */
static void assert_good(void)
{
	const struct {
		uint64_t base, size;
	} parts[] = {{layout.below.base, need.near},
	             {layout.processors, need.processors},
	             {layout.tables, need.tables},
	             {layout.metadata, need.metadata}};

	assert_true(layout.below.base && layout.below.base + layout.below.size <= 4 * GIB);
	assert_true(layout.above.size ? layout.above.base >= 4 * GIB : !layout.above.base);
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(lies_in(parts[i].base, parts[i].size, &layout.below) ||
		            (layout.above.size &&
		             lies_in(parts[i].base, parts[i].size, &layout.above)));
		assert_int_equal(parts[i].base % 4096, 0);
		assert_true(memmap_covers(&before, parts[i].base, parts[i].size, MEM_USABLE));
		assert_true(memmap_covers(&map, parts[i].base, parts[i].size, MEM_RESERVED));
		for (unsigned int n = 0; n < i; n++)
			assert_true(parts[i].base >= parts[n].base + parts[n].size ||
			            parts[n].base >= parts[i].base + parts[i].size);
	}
	assert_int_equal((layout.below.base | layout.above.base) % (2 * MIB), 0);
	assert_true(!need.tables_below || layout.tables + need.tables <= 4 * GIB);
	if (need.tables_below || layout.above.size)
		return;
	/* All below: the processors' heap goes on where the first one's ends. */
	assert_int_equal(layout.processors, layout.below.base + need.near);
}

static void small_machines(void **state)
{
	static const struct mem_range usable[] = {
		{0, 640 * KIB, 0, 0}, {MIB, 255 * MIB, 0, 0}, {4 * GIB, 4 * GIB, 0, 0}};

	(void)state;
	for (unsigned int count = 2; count <= 3; count++) {
		for (uint64_t cpus = 1; cpus <= 64; cpus *= 4) {
			struct machine machine = {usable, count, cpus, 4 * MIB};

			assert_true(choose(&machine, cpus & 4));
			assert_good();
			assert_int_equal(layout.above.size, 0);
		}
	}
}

/* What is below 4 GiB then is a few MiB, and the rest is nowhere near. */
static void assert_mostly_above(const struct machine *machine)
{
	assert_true(choose(machine, false));
	assert_good();
	assert_true(layout.below.size <= 4 * MIB);
	assert_true(layout.above.size);
}

static void large_machines(void **state)
{
	static const struct mem_range terabyte[] = {
		{MIB, 2 * GIB, 0, 0}, {4 * GIB, TIB, 0, 0}}; /* as if there was no hole */
	static const struct mem_range large[] = {
		{MIB, GIB, 0, 0}, {4 * GIB, 0xfd00000000 - 4 * GIB, 0, 0}, {TIB, 11 * TIB, 0, 0}};
	static const struct mem_range sparse[] = {{MIB, 512 * MIB, 0, 0},
	                                          {4 * TIB, TIB, 0, 0},
	                                          {7 * TIB, TIB, 0, 0},
	                                          {11 * TIB, TIB, 0, 0}};

	(void)state;
	for (uint64_t cpus = 1; cpus <= 4096; cpus *= 8) {
		assert_mostly_above(&(struct machine){terabyte, 2, cpus, 64 * MIB});
		assert_mostly_above(&(struct machine){large, 3, cpus, 64 * MIB});
		assert_mostly_above(&(struct machine){sparse, 4, cpus, 64 * MIB});
	}
	/* Without nested paging tables are where CR3 reaches them, and no more than those. */
	assert_true(choose(&(struct machine){large, 3, 128, 64 * MIB}, true));
	assert_good();
	assert_true(layout.below.size <= 104 * MIB);
}

/* Where there is no room in one way there may be in the other. */
static void the_other_way(void **state)
{
	static const struct mem_range little_below[] = {{MIB, 16 * MIB, 0, 0},
	                                                {4 * GIB, 2 * GIB, 0, 0}};
	static const struct mem_range none_above[] = {{MIB, 3 * GIB, 0, 0}};

	(void)state;
	assert_true(choose(&(struct machine){little_below, 2, 1, 32 * MIB}, false));
	assert_good();
	assert_true(layout.above.size);
	assert_false(choose(&(struct machine){little_below, 2, 1, 32 * MIB}, true));
	assert_false(choose(&(struct machine){little_below, 1, 1, 32 * MIB}, false));
	assert_true(choose(&(struct machine){none_above, 1, 600, 32 * MIB}, false));
	assert_good();
	assert_int_equal(layout.above.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes_of_families), cmocka_unit_test(no_memory_is_in_a_hole),
		cmocka_unit_test(small_machines),    cmocka_unit_test(large_machines),
		cmocka_unit_test(the_other_way),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
