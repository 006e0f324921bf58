/*
 * Where else than in its memory L1's code may run. Relies on hv/mtrr.h and svm/memory/l1_memory.h.
 */
#include "boot/l1_code.h"
#include "hv/mtrr.h"
#include "hv/x86.h"
#include "svm/memory/l1_memory.h"

#define VGA     0xa0000ull
#define VGA_END 0xc0000ull

/* The end of the block that begins there and has one type, and whether that is cached. */
static uint64_t block_end(uint64_t at, bool *cached)
{
	enum mtrr_type type = MTRR_UC;
	uint64_t size = at & (SIZE_2M - 1) ? PAGE_SIZE : SIZE_2M;

	if (!mtrr_type_of(&mtrr_real, at, size, &type)) {
		size = PAGE_SIZE;
		mtrr_type_of(&mtrr_real, at, size, &type);
	}
	*cached = type != MTRR_UC && type != MTRR_WC;
	return at + size;
}

static void add_cached(uint64_t base, uint64_t end)
{
	uint64_t from = base, at = base;

	while (at < end) {
		bool cached;
		uint64_t next = block_end(at, &cached);

		if (!cached) {
			if (from < at)
				l1_code_add(from, at - from);
			from = next;
		}
		at = next;
	}
	if (from < end)
		l1_code_add(from, end - from);
}

void l1_code_tell(const struct memmap *map)
{
	l1_code_add(0, VGA);
	l1_code_add(VGA_END, SIZE_1M - VGA_END);
	l1_code_add(L1_RESET_CODE, SIZE_4G - L1_RESET_CODE);
	for (uint32_t i = 0; i < map->count; i++) {
		uint64_t base = map->range[i].base & ~(uint64_t)(PAGE_SIZE - 1);
		uint64_t end = map->range[i].base + map->range[i].size;

		if (map->range[i].type == MEM_RESERVED)
			add_cached(base < SIZE_1M ? SIZE_1M : base, end < SIZE_4G ? end : SIZE_4G);
	}
}
