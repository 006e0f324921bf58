/* Relies on boot/memmap.h: of two that overlap, the one with the larger type wins. */
#include "boot/window_plan.h"
#include "boot/acpi.h"
#include "boot/l1_code.h"
#include "boot/l1_ranges.h"
#include "hv/x86.h"

enum { DEVICE, MEMORY };

/* I/O APICs, timers, APICs and messages: 82093AA and APM vol. 2, section 16.3. */
#define INTERRUPTS     0xfec00000ull
#define INTERRUPTS_END 0xfef00000ull

static bool add(struct memmap *plan, uint64_t base, uint64_t end, uint32_t type)
{
	uint64_t first = base & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t last = (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

	return end <= base || memmap_add(plan, first, last - first, type);
}

static bool add_range(struct memmap *plan, const struct memmap *map, uint32_t i)
{
	const struct mem_range *range = &map->range[i];
	uint64_t end = l1_range_end(map, i), kept_end = range->base + range->size;

	if (end > range->base)
		return add(plan, range->base, end, MEMORY);
	if (range->type != MEM_RESERVED)
		return true;
	return add(plan, range->base, kept_end < SIZE_4G ? kept_end : SIZE_4G, DEVICE);
}

struct places {
	struct memmap *plan;
	bool fit;
};

static void add_place(void *context, uint64_t hpa, uint64_t bytes)
{
	struct places *places = context;

	places->fit = places->fit && add(places->plan, hpa, hpa + bytes, DEVICE);
}

bool window_plan(const struct memmap *map, uint64_t rsdp, uint64_t apic,
                 struct window_range *ranges, unsigned int *count)
{
	static struct memmap plan;
	struct places places = {&plan, true};
	bool fits;

	plan.count = 0;
	fits = add(&plan, 0, SIZE_1M, DEVICE) && add(&plan, INTERRUPTS, INTERRUPTS_END, DEVICE) &&
	       add(&plan, apic, apic + PAGE_SIZE, DEVICE) &&
	       add(&plan, L1_RESET_CODE, SIZE_4G, DEVICE);
	acpi_places(rsdp, add_place, &places);
	fits = fits && places.fit;
	for (uint32_t i = 0; i < map->count && fits; i++)
		fits = add_range(&plan, map, i);
	*count = 0;
	for (uint32_t i = 0; i < plan.count; i++)
		ranges[(*count)++] = (struct window_range){
			.base = plan.range[i].base,
			.end = plan.range[i].base + plan.range[i].size,
			.device = plan.range[i].type == DEVICE,
		};
	return fits;
}
