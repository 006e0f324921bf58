/*
 * Where L0's own memory lies: in one piece if it is small, else in two.
 */
#include "boot/layout.h"
#include "hv/x86.h"

static uint64_t whole(uint64_t bytes)
{
	return (bytes + SIZE_2M - 1) & ~(SIZE_2M - 1);
}

/* The parts follow one another from here on, those that are to be here. Returns their end. */
static uint64_t put_parts(struct layout *layout, const struct layout_need *need, uint64_t at,
                          bool tables, bool others)
{
	if (others) {
		layout->processors = at;
		at += need->processors;
	}
	if (tables) {
		layout->tables = at;
		at += need->tables;
	}
	if (others) {
		layout->metadata = at;
		at += need->metadata;
	}
	return at;
}

static bool find(const struct memmap *map, uint64_t bytes, uint64_t floor, uint64_t limit,
                 struct mem_range *range)
{
	range->size = whole(bytes);
	range->type = MEM_RESERVED;
	range->base = memmap_find_high(map, range->size, SIZE_2M, floor, limit);
	return range->base;
}

static bool choose_one(const struct memmap *map, const struct layout_need *need,
                       struct layout *layout)
{
	uint64_t all = put_parts(layout, need, need->near, true, true);

	if (!find(map, all, 0, SIZE_4G, &layout->below))
		return false;
	layout->above = (struct mem_range){0};
	put_parts(layout, need, layout->below.base + need->near, true, true);
	return true;
}

static bool choose_two(const struct memmap *map, const struct layout_need *need,
                       struct layout *layout)
{
	uint64_t below = put_parts(layout, need, need->near, need->tables_below, false);
	uint64_t above = put_parts(layout, need, 0, !need->tables_below, true);

	if (!find(map, below, 0, SIZE_4G, &layout->below) ||
	    !find(map, above, SIZE_4G, UINT64_MAX, &layout->above))
		return false;
	put_parts(layout, need, layout->below.base + need->near, need->tables_below, false);
	put_parts(layout, need, layout->above.base, !need->tables_below, true);
	return true;
}

bool layout_choose(struct memmap *free_map, const struct layout_need *need, struct layout *layout)
{
	uint64_t all = need->near + need->processors + need->tables + need->metadata;
	bool small = all <= LAYOUT_BELOW_MOST;
	bool found =
		small ? choose_one(free_map, need, layout) || choose_two(free_map, need, layout)
		      : choose_two(free_map, need, layout) || choose_one(free_map, need, layout);

	if (!found)
		return false;
	memmap_add(free_map, layout->below.base, layout->below.size, MEM_RESERVED);
	memmap_add(free_map, layout->above.base, layout->above.size, MEM_RESERVED);
	return true;
}
