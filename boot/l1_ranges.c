/*
 * Where memory of L1's is or may come to be. Used by one processor, while booting. Relies on
 * boot/acpi.h and hv/phys.h.
 */
#include "boot/l1_ranges.h"
#include "boot/acpi.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

#define SPAN_MOST (512ull << 30)
enum {
	SPAN_FACTOR = 16, /* times 1/4096 of memory: a byte per frame */
	FAR_FACTOR = 64,  /* ... for what holes cost, too */
};
#define NEAR (8ull << 30) /* is never too far */

/* Memory Affinity Structure; ACPI 6.5, section 5.2.16.2. */
enum {
	SRAT_ENTRIES = 48, /* offset of the first entry */
	SRAT_MEMORY = 1,
	SRAT_ENABLED = 1 << 0,
	SRAT_HOTPLUG = 1 << 1,
	SRAT_NONVOLATILE = 1 << 2,
};

struct srat_memory {
	uint8_t type, length;
	uint8_t domain[4], reserved1[2];
	uint64_t base, size;
	uint32_t reserved2, flags;
	uint64_t reserved3;
} __attribute__((packed));
_Static_assert(offsetof(struct srat_memory, base) == 8, "ACPI 6.5, 5.2.16.2");
_Static_assert(offsetof(struct srat_memory, flags) == 28, "ACPI 6.5, 5.2.16.2");
_Static_assert(sizeof(struct srat_memory) == 40, "ACPI 6.5, 5.2.16.2");

static void add_entry(struct memmap *map, const struct srat_memory *entry)
{
	uint64_t base = entry->base, size = entry->size;

	if (!(entry->flags & SRAT_ENABLED) || !(entry->flags & (SRAT_HOTPLUG | SRAT_NONVOLATILE)) ||
	    size > UINT64_MAX - base)
		return;
	if (base < SIZE_4G) {
		if (base + size <= SIZE_4G)
			return;
		size -= SIZE_4G - base;
		base = SIZE_4G;
	}
	memmap_add(map, base, size, MEM_HOTPLUG); /* a full map leaves it out */
}

void l1_ranges_add(struct memmap *map, uint64_t rsdp)
{
	uint64_t srat = acpi_find_table(rsdp, "SRAT");
	uint32_t length = srat ? acpi_table_length(srat, "SRAT") : 0;
	uint32_t at = SRAT_ENTRIES;
	struct srat_memory entry;

	while (at < length && length - at >= 2) {
		const uint8_t *bytes = phys(srat + at);
		uint8_t size = bytes[1];

		if (size < 2 || size > length - at)
			return;
		if (bytes[0] == SRAT_MEMORY && size >= sizeof(entry)) {
			memcpy(&entry, bytes, sizeof(entry));
			add_entry(map, &entry);
		}
		at += size;
	}
}

static uint64_t far_from(uint64_t memory)
{
	uint64_t far = memory < UINT64_MAX / FAR_FACTOR ? memory * FAR_FACTOR : UINT64_MAX;

	return far > NEAR ? far : NEAR;
}

/* The last range of memory that is not too far for what there is up to its end. */
static uint64_t near_end(const struct memmap *map)
{
	uint64_t memory = 0, near = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		const struct mem_range *range = &map->range[i];

		if (range->type != MEM_USABLE)
			continue;
		memory += range->size;
		if (range->base + range->size <= far_from(memory))
			near = range->base + range->size;
	}
	return near;
}

static const struct mem_range *usable_from(const struct memmap *map, uint64_t base)
{
	for (uint32_t i = 0; i < map->count; i++) {
		if (map->range[i].type == MEM_USABLE && map->range[i].base >= base)
			return &map->range[i];
	}
	return NULL;
}

struct mem_range l1_ranges_cut(struct memmap *map)
{
	const uint64_t end = near_end(map);
	const struct mem_range *range = usable_from(map, end);
	struct mem_range far = {range ? range->base : 0, 0, MEM_RESERVED, 0};

	for (; range; range = usable_from(map, end)) {
		far.size += range->size;
		memmap_add(map, range->base, range->size, MEM_RESERVED);
	}
	return far;
}

uint64_t l1_range_end(const struct memmap *map, uint32_t i)
{
	const struct mem_range *range = &map->range[i];
	uint64_t span = memmap_usable_size(map), end = range->base + range->size;

	switch (range->type) {
	case MEM_USABLE:
		return end;
	case MEM_ACPI:
	case MEM_NVS:
	case MEM_RUNTIME:
		return end <= far_from(span) ? end : range->base;
	case MEM_HOTPLUG:
	case MEM_PERSISTENT:
	case MEM_PERSISTENT_OLD:
		span = span < SPAN_MOST / SPAN_FACTOR ? span * SPAN_FACTOR : SPAN_MOST;
		if (end <= SIZE_4G + span)
			return end;
		return range->base < SIZE_4G + span ? SIZE_4G + span : range->base;
	default:
		return range->base;
	}
}

uint64_t l1_ranges_end(const struct memmap *map)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < map->count; i++) {
		uint64_t range_end = l1_range_end(map, i);

		if (range_end > map->range[i].base && range_end > end)
			end = range_end;
	}
	return end;
}
