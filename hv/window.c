/*
 * The tables of the window onto physical memory. Relies on hv/memory.h and hv/mtrr.h.
 */
#include "hv/window.h"
#include "hv/memory.h"
#include "hv/mtrr.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum {
	CPUID_EXT_FEATURES = 0x80000001,
	INDEX_MASK = 511,
	SHIFT_4K = 12,
	SHIFT_2M = 21,
	SHIFT_1G = 30,
	SHIFT_512G = 39,
	SHIFT_TOP = PHYS_BITS_MOST == 64 ? SHIFT_512G : SHIFT_1G,
	TOP_MASK =
		PHYS_BITS_MOST == 64 ? INDEX_MASK : 3, /* of 64-bit addresses, and of 32-bit ones */
	/* Where kinds of memory meet a block of 1 GiB and one of 2 MiB become tables. */
	TABLES_OF_EDGE = 2,
	/* Of types: a range's both ends, the first MiB, 4 GiB, TOM2. */
	TYPE_EDGES = 2 * MTRR_VARIABLE_MAX + 3,
};
#define EDX_PAGE1GB  (1u << 26)
#define DEVICE_FLAGS (WINDOW_PCD | WINDOW_PWT) /* entry 3 of any PAT, whatever MTRRs say */

static uint64_t *window; /* its table of the highest level */
static uint64_t *spare;  /* tables for window_device() */
static unsigned int spare_count;

uint64_t *window_table(uint64_t *table, unsigned int index)
{
	if (!(table[index] & WINDOW_P)) {
		uint64_t *page = heap_pages(1);

		table[index] = hpa_of(page) | WINDOW_P | WINDOW_W;
		return page;
	}
	return phys(table[index] & ~0xfffull);
}

static bool has_giants(void)
{
	return SHIFT_TOP > SHIFT_1G && (cpuid(CPUID_EXT_FEATURES, 0).edx & EDX_PAGE1GB);
}

/* Blocks of this size that a range touches: each may have a table. */
static uint64_t blocks(const struct window_range *range, unsigned int shift)
{
	return range->end > range->base ? ((range->end - 1) >> shift) - (range->base >> shift) + 1
	                                : 0;
}

uint64_t window_pages(const struct window_range *ranges, unsigned int count)
{
	const struct window_range low = {.base = 0, .end = SIZE_4G};
	uint64_t edges = 2ull * count + TYPE_EDGES;
	uint64_t pages = 1 + blocks(&low, SHIFT_1G) + TABLES_OF_EDGE * edges + WINDOW_DEVICES;
	bool giants = has_giants();

	for (unsigned int i = 0; i < count; i++) {
		pages += blocks(&ranges[i], SHIFT_512G);
		if (!giants)
			pages += blocks(&ranges[i], SHIFT_1G);
	}
	return pages;
}

/* The largest page that may begin there: of one memory type only (APM vol. 2, section 7.7.4). */
static unsigned int page_shift(uint64_t at, uint64_t end, bool giants)
{
	for (unsigned int shift = giants ? SHIFT_1G : SHIFT_2M; shift > SHIFT_4K;
	     shift -= SHIFT_1G - SHIFT_2M) {
		uint64_t size = 1ull << shift;
		enum mtrr_type type;

		if (!(at & (size - 1)) && end - at >= size &&
		    mtrr_type_of(&mtrr_real, at, size, &type))
			return shift;
	}
	return SHIFT_4K;
}

static unsigned int index_of(uint64_t hpa, unsigned int shift)
{
	uint64_t at = PHYS_WINDOW + hpa;

	return at >> shift & (shift == SHIFT_TOP ? TOP_MASK : INDEX_MASK);
}

static uint64_t entry_of(uint64_t hpa, unsigned int shift, uint64_t flags)
{
	return hpa | flags | WINDOW_P | WINDOW_W | WINDOW_NX |
	       (shift > SHIFT_4K ? WINDOW_LARGE : 0);
}

static void map_page(uint64_t *top, uint64_t hpa, unsigned int shift, uint64_t flags)
{
	uint64_t *table = top;

	for (unsigned int level = SHIFT_TOP; level > shift; level -= SHIFT_1G - SHIFT_2M)
		table = window_table(table, index_of(hpa, level));
	table[index_of(hpa, shift)] = entry_of(hpa, shift, flags);
}

static void map_range(uint64_t *top, uint64_t base, uint64_t end, uint64_t flags)
{
	bool giants = has_giants();

	while (base < end) {
		unsigned int shift = page_shift(base, end, giants);

		if (phys_reaches(base))
			map_page(top, base, shift, flags);
		base += 1ull << shift;
	}
}

void window_map(uint64_t *top, const struct window_range *ranges, unsigned int count)
{
	uint64_t *table = SHIFT_TOP > SHIFT_1G ? window_table(top, index_of(0, SHIFT_TOP)) : top;

	window = top;
	for (unsigned int i = 0; i < count; i++)
		map_range(top, ranges[i].base, ranges[i].end, ranges[i].device ? DEVICE_FLAGS : 0);
	for (unsigned int i = 0; i < SIZE_4G >> SHIFT_1G; i++) {
		if (!(table[i] & WINDOW_P))
			window_table(table, i);
	}
	spare = heap_pages(WINDOW_DEVICES);
	spare_count = WINDOW_DEVICES;
}

/* One more table, as long as there are any. */
static bool may_descend(uint64_t *entry)
{
	if (*entry & WINDOW_P)
		return true;
	if (!spare_count)
		return false;
	*entry = hpa_of(spare) | WINDOW_P | WINDOW_W;
	spare += INDEX_MASK + 1;
	spare_count--;
	return true;
}

/* No processor has it cached that nothing was there. APM vol. 2, section 5.5.2. */
bool window_device(uint64_t hpa)
{
	uint64_t *table = window, *entry;

	for (unsigned int level = SHIFT_TOP; level > SHIFT_4K; level -= SHIFT_1G - SHIFT_2M) {
		entry = &table[index_of(hpa, level)];
		if (!may_descend(entry))
			return false;
		if (*entry & WINDOW_LARGE)
			return true;
		table = phys(*entry & ~0xfffull);
	}
	entry = &table[index_of(hpa, SHIFT_4K)];
	if (!(*entry & WINDOW_P))
		*entry = entry_of(hpa & ~(uint64_t)(PAGE_SIZE - 1), SHIFT_4K, DEVICE_FLAGS);
	return true;
}
