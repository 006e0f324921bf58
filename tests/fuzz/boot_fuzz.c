/*
 * What the fuzzers of boot/ have in common. Relies on tests/fuzz/boot_fuzz.h.
 */
#include "tests/fuzz/boot_fuzz.h"

#include <stdlib.h>

#include "tests/unit/arena.h"

void check(bool holds)
{
	if (!holds)
		abort();
}

void flat_once(void)
{
	static bool there;

	if (!there)
		arena_new_flat();
	there = true;
}

void check_map(const struct memmap *map)
{
	check(map->count <= BOOT_MAX_RANGES);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct mem_range *range = &map->range[i];

		check(range->size && range->size <= UINT64_MAX - range->base);
		check(!i || map->range[i - 1].base + map->range[i - 1].size <= range->base);
	}
}
