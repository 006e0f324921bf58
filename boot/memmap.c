/*
 * A map of physical memory. Used by one processor, while booting. Relies on nothing.
 */
#include "boot/memmap.h"

/* memmap_add builds the new map here, so that a full one leaves the caller's alone. */
static struct memmap work;

static uint64_t range_end(const struct mem_range *range)
{
	return range->base + range->size;
}

/* Appends [base, end) to the map in the making. Returns false when it is full. */
static bool append(uint64_t base, uint64_t end, uint32_t type)
{
	struct mem_range *last = work.count ? &work.range[work.count - 1] : NULL;

	if (base >= end)
		return true;
	if (last && last->type == type && range_end(last) == base) {
		last->size += end - base;
		return true;
	}
	if (work.count == BOOT_MAX_RANGES)
		return false;
	work.range[work.count++] =
		(struct mem_range){.base = base, .size = end - base, .type = type};
	return true;
}

bool memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
	uint64_t end = size > UINT64_MAX - base ? UINT64_MAX : base + size;
	bool fits = true;

	work.count = 0;
	for (uint32_t i = 0; i < map->count && fits; i++) {
		const struct mem_range *old = &map->range[i];
		uint64_t old_end = range_end(old);

		/* What of the new range lies before the old one; then base >= old->base, or no
		 * part of the new one is left that could touch it. */
		if (base < end && base < old->base) {
			uint64_t before = end < old->base ? end : old->base;

			fits = append(base, before, type);
			base = before;
		}
		if (base < end && base < old_end && base >= old->base) {
			uint64_t both = end < old_end ? end : old_end;
			uint32_t winner = type > old->type ? type : old->type;

			fits = fits && append(old->base, base, old->type) &&
			       append(base, both, winner) && append(both, old_end, old->type);
			base = both;
		} else {
			fits = fits && append(old->base, old_end, old->type);
		}
	}
	if (!fits || !append(base, end, type))
		return false;
	for (uint32_t i = 0; i < work.count; i++)
		map->range[i] = work.range[i];
	map->count = work.count;
	return true;
}

/* The range that holds the address, or NULL. */
static const struct mem_range *range_at(const struct memmap *map, uint64_t address)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (address >= map->range[i].base &&
		    address - map->range[i].base < map->range[i].size)
			return &map->range[i];
	return NULL;
}

bool memmap_covers(const struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
	const struct mem_range *range;

	if (!size)
		return true;
	range = range_at(map, base);
	/* Neighbours of one type are one range: one has to hold it all. */
	return range && range->type == type && size <= range_end(range) - base;
}

uint64_t memmap_usable_end(const struct memmap *map, uint64_t base)
{
	const struct mem_range *range = range_at(map, base);

	return range && range->type == MEM_USABLE ? range_end(range) : base;
}

/* The part of a usable range within [floor, limit); false when there is none. */
static bool usable_part(const struct mem_range *range, uint64_t floor, uint64_t limit,
                        uint64_t *low, uint64_t *high)
{
	*low = range->base > floor ? range->base : floor;
	*high = range_end(range) < limit ? range_end(range) : limit;
	return range->type == MEM_USABLE && *low < *high;
}

uint64_t memmap_usable_size(const struct memmap *map)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		if (map->range[i].type == MEM_USABLE)
			size += map->range[i].size;
	}
	return size;
}

uint64_t memmap_largest(const struct memmap *map, uint64_t floor, uint64_t limit)
{
	uint64_t largest = 0, low, high;

	for (uint32_t i = 0; i < map->count; i++)
		if (usable_part(&map->range[i], floor, limit, &low, &high) && high - low > largest)
			largest = high - low;
	return largest;
}

uint64_t memmap_find_high(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
                          uint64_t limit)
{
	uint64_t low, high, at;

	for (uint32_t i = map->count; i-- > 0;) {
		if (!usable_part(&map->range[i], floor, limit, &low, &high) || high - low < size)
			continue;
		at = (high - size) & ~(align - 1);
		if (at >= low && at)
			return at;
	}
	return 0;
}

uint64_t memmap_find_low(const struct memmap *map, uint64_t size, uint64_t align, uint64_t floor,
                         uint64_t limit)
{
	uint64_t low, high, at;

	for (uint32_t i = 0; i < map->count; i++) {
		if (!usable_part(&map->range[i], floor, limit, &low, &high))
			continue;
		if (low > UINT64_MAX - (align - 1))
			continue;
		at = (low + align - 1) & ~(align - 1);
		if (!at)
			at = align;
		if (at < high && high - at >= size)
			return at;
	}
	return 0;
}
