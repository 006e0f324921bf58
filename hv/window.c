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
	WINDOW_ENTRY = 256, /* of level 4: PHYS_WINDOW */
	INDEX_MASK = 511,
	SHIFT_4K = 12,
	SHIFT_2M = 21,
	SHIFT_1G = 30,
	SHIFT_512G = 39,
	/* Where kinds of memory meet a block of 1 GiB and one of 2 MiB become tables. */
	TABLES_OF_EDGE = 2,
	/* Of types: a range's both ends, the first MiB, 4 GiB, TOM2. */
	TYPE_EDGES = 2 * MTRR_VARIABLE_MAX + 3,
};
#define EDX_PAGE1GB (1u << 26)

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
	return cpuid(CPUID_EXT_FEATURES, 0).edx & EDX_PAGE1GB;
}

/* Blocks of this size that a range touches: each may have a table. */
static uint64_t blocks(const struct window_range *range, unsigned int shift)
{
	return range->end > range->base ? ((range->end - 1) >> shift) - (range->base >> shift) + 1
	                                : 0;
}

uint64_t window_pages(const struct window_range *memory, unsigned int count)
{
	const struct window_range low = {0, SIZE_4G};
	uint64_t edges = 2ull * count + TYPE_EDGES;
	uint64_t pages = 1 + blocks(&low, SHIFT_1G) + TABLES_OF_EDGE * edges;
	bool giants = has_giants();

	for (unsigned int i = 0; i < count; i++) {
		pages += blocks(&memory[i], SHIFT_512G);
		if (!giants)
			pages += blocks(&memory[i], SHIFT_1G);
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

static void map_page(uint64_t *pml4, uint64_t hpa, unsigned int shift, uint64_t flags)
{
	uint64_t *table = pml4;

	for (unsigned int level = SHIFT_512G; level > shift; level -= SHIFT_1G - SHIFT_2M) {
		unsigned int index = hpa >> level & INDEX_MASK;

		table = window_table(table, level == SHIFT_512G ? index + WINDOW_ENTRY : index);
	}
	table[hpa >> shift & INDEX_MASK] = hpa | flags | WINDOW_P | WINDOW_W | WINDOW_NX |
	                                   (shift > SHIFT_4K ? WINDOW_LARGE : 0);
}

static void map_range(uint64_t *pml4, uint64_t base, uint64_t end, uint64_t flags)
{
	bool giants = has_giants();

	while (base < end) {
		unsigned int shift = page_shift(base, end, giants);

		map_page(pml4, base, shift, flags);
		base += 1ull << shift;
	}
}

void window_map(uint64_t *pml4, const struct window_range *memory, unsigned int count)
{
	/* Entry 3 of any PAT: uncached, whatever MTRRs say. */
	const uint64_t uncached = WINDOW_PCD | WINDOW_PWT;
	uint64_t at = 0; /* done up to here */

	for (unsigned int i = 0; i <= count; i++) {
		bool last = i == count;
		uint64_t base = last ? SIZE_4G : memory[i].base & ~(uint64_t)(PAGE_SIZE - 1);
		uint64_t end =
			last ? 0 : (memory[i].end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

		map_range(pml4, at, base < SIZE_4G ? base : SIZE_4G, uncached);
		if (base < at)
			base = at;
		map_range(pml4, base, end, 0);
		if (end > at)
			at = end;
	}
}
