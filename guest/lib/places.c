/*
 * Finding the places. Relies on the loader's map and on what is where in every PC.
 */
#include "guest/lib/places.h"
#include "guest/lib/apic.h"
#include "guest/lib/machine.h"
#include "guest/lib/memory_map.h"
#include "guest/lib/report.h"
#include "hv/x86.h"

#include <stddef.h>

enum { MAX_PLACES = 48, NEAR_TOP = 16 << 20 };

const char place_beyond[] = "beyond memory", place_mmio[] = "at MMIO", place_rom[] = "in ROM",
	   place_last[] = "at the end of memory", place_reserved[] = "in reserved memory",
	   place_highest[] = "at the highest address",
	   place_too_high[] = "above the highest address";

static struct place places[MAX_PLACES];
static unsigned int count;

static void add(const char *kind, uint64_t gpa, bool write)
{
	if (count < MAX_PLACES && !report_is_in(gpa, PAGE_SIZE))
		places[count++] = (struct place){kind, gpa, write};
}

/* Does usable memory above 4 GiB end where the range begins? A hypervisor may have cut it off. */
static bool is_cut_off(const struct memory_range *range)
{
	if (range->start < SIZE_4G)
		return false;
	for (unsigned int i = 0; memory_range(i); i++) {
		if (memory_range(i)->usable && memory_range(i)->end == range->start)
			return true;
	}
	return false;
}

void places_find(uint64_t top, bool last_is_free)
{
	count = 0;
	add(place_beyond, top + 4ull * NEAR_TOP, false);
	add(place_beyond, 0xd0000000u, false);
	add(place_mmio, apic_base(), false);
	add(place_mmio, 0xfec00000u, false);
	add(place_mmio, 0xa0000u, false);
	add(place_rom, 0xf0000u, false);
	add(place_rom, 0xfffff000u, false);
	add(place_last, top - PAGE_SIZE, last_is_free);
	for (unsigned int i = 0; memory_range(i); i++) {
		const struct memory_range *r = memory_range(i);
		uint64_t from = r->start & ~(PAGE_SIZE - 1ull),
			 middle = (r->start + r->end) / 2 & ~(PAGE_SIZE - 1ull);

		if (r->usable || from < NEAR_TOP ||
		    (!is_cut_off(r) && (r->start > top + NEAR_TOP || r->end > top + NEAR_TOP)))
			continue;
		add(place_reserved, from, true);
		add(place_reserved, middle, true);
		add(place_reserved, (r->end - 1) & ~(PAGE_SIZE - 1ull), true);
	}
	add(place_highest, (1ull << machine.physical_bits) - PAGE_SIZE, false);
	add(place_too_high, 1ull << machine.physical_bits, false);
}

const struct place *place_at(unsigned int n)
{
	return n < count ? &places[n] : NULL;
}
