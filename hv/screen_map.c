/*
 * Tables of its own, in the image, for they are needed before there is any other memory, and again
 * after L0's move. Relies on hv/screen_place.h for where they belong, on hv/memory.h and
 * hv/window.h.
 */
#include "hv/screen_map.h"
#include "hv/memory.h"
#include "hv/screen_place.h"
#include "hv/window.h"
#include "hv/x86.h"

enum { ENTRIES = 512 };
#define PAT_OF_4K     (1ull << 7)
#define PAT_OF_2M     (1ull << 12)
#define PAT_IS_5      WINDOW_PWT /* with one of the two above; PAT_OF_L0: write-combining */
#define LEAF          (WINDOW_P | WINDOW_W | WINDOW_NX | SCREEN_A_AND_D | PAT_IS_5)
#define ALIGNED_TABLE __attribute__((aligned(PAGE_SIZE)))

static uint64_t first[ENTRIES] ALIGNED_TABLE, last[ENTRIES] ALIGNED_TABLE;

/* Nothing but the framebuffer: its neighbours are other devices' registers. */
static void map_part(uint64_t *table, uint64_t block, uint64_t base, uint64_t end)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint64_t page = block + (uint64_t)i * PAGE_SIZE;

		table[i] = page >= base && page < end ? page | LEAF | PAT_OF_4K : 0;
	}
}

static uint64_t entry_of(uint64_t block, uint64_t base, uint64_t end)
{
	uint64_t *table = block < base ? first : last;

	if (block >= base && end - block >= SIZE_2M)
		return block | LEAF | PAT_OF_2M | WINDOW_LARGE;
	map_part(table, block, base, end);
	return hpa_of(table) | SCREEN_TABLE;
}

volatile void *screen_map_pixels(uint64_t base, uint64_t bytes)
{
	uint64_t from = base & ~(uint64_t)(PAGE_SIZE - 1), block = base & ~(SIZE_2M - 1);
	uint64_t end = (base + bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

	struct screen_place place = screen_place(block);

	for (; block < end; block += SIZE_2M)
		*place.entry++ = entry_of(block, from, end);
	write_cr3(read_cr3());
	return place.at + (base & (SIZE_2M - 1));
}
