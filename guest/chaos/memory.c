/*
 * The arena, and addresses. L1's own memory is all that is usable but the arena: nobody has a
 * business there, and most of it is the image. Relies on guest/lib/places.h.
 */
#include "guest/chaos/chaos.h"
#include "guest/lib/free_memory.h"
#include "guest/lib/places.h"

enum {
	RESERVED_MAX = 16,
	LEAST_BYTES = 2 * ARENA_BYTES,
	VGA_START = 0xa0000,
	ROM_END = 0x100000,
};

#define FRAME     0x000ffffffffff000ull
#define LOW_FRAME 0xfffff000ull
#define LOW_P     1ull
#define LOW_W     2ull

struct arena arena;
bool memory_devices;

/* What nobody else may write: the map that lets no port through, and host state on bare machines.
 */
static uint8_t ones[IOPM_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t hsaves[HSAVES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static struct range {
	uint64_t start, end;
} reserved[RESERVED_MAX]; /* holes of usable memory: a hypervisor's, firmware's */
static unsigned int reserved_count;
static uint64_t top;

static uint64_t take(uint64_t *next, unsigned int pages)
{
	uint64_t at = *next;

	*next += pages * (uint64_t)PAGE_SIZE;
	return at;
}

static void find_reserved(void)
{
	for (unsigned int i = 0; memory_range(i) && reserved_count < RESERVED_MAX; i++) {
		const struct memory_range *r = memory_range(i);

		if (!r->usable && r->start < top && r->start >= ROM_END)
			reserved[reserved_count++] = (struct range){r->start, r->end};
	}
}

void memory_init(void)
{
	struct free_memory memory = free_memory_find(LEAST_BYTES);
	uint64_t next;

	top = memory.top;
	find_reserved();
	places_find(top, top == memory.end);
	arena.start = (memory.start + ARENA_BYTES - 1) & ~(uint64_t)(ARENA_BYTES - 1);
	arena.end = arena.start + ARENA_BYTES;
	next = arena.start;
	arena.tables = take(&next, TABLE_PAGES);
	arena.data = take(&next, DATA_PAGES);
	arena.maps = take(&next, MAP_PAGES);
	arena.blocks = take(&next, BLOCKS);
	arena.kept = take(&next, L2_SLOTS * KEPT_BYTES / PAGE_SIZE);
	arena.ones = (uintptr_t)ones;
	arena.hsaves = (uintptr_t)hsaves;
	memset(ones, 0xff, sizeof(ones));
}

static uint64_t page_of(struct dice *dice, uint64_t first, unsigned int pages)
{
	return first + dice_below(dice, pages) * (uint64_t)PAGE_SIZE;
}

/* On a bare emulator its own walker would write A and D bits to devices, and save state there. */
static uint64_t anywhere(struct dice *dice)
{
	const struct place *place;

	do
		place = place_at(dice_below(dice, 24));
	while (!place);
	if (machine.bare && place->gpa < SIZE_4G)
		return page_of(dice, arena.data, DATA_PAGES);
	/* A hypervisor may have any page of what is reserved. */
	if (place->kind == place_reserved && reserved_count) {
		const struct range *r = &reserved[dice_below(dice, reserved_count)];

		return page_of(dice, r->start & FRAME,
		               (unsigned int)((r->end - r->start) / PAGE_SIZE) + 1);
	}
	return place->gpa;
}

uint64_t memory_address(struct dice *dice)
{
	switch (dice_below(dice, 16)) {
	case 0 ... 6:
		return page_of(dice, arena.tables, TABLE_PAGES);
	case 7 ... 9:
		return page_of(dice, arena.data, DATA_PAGES);
	case 10:
		return page_of(dice, arena.blocks, BLOCKS);
	case 11:
		return page_of(dice, arena.maps, MAP_PAGES);
	case 12:
		return arena.start;
	case 13 ... 14:
		return anywhere(dice);
	default:
		return dice_roll64(dice) >> dice_below(dice, 64);
	}
}

uint64_t memory_writable_page(struct dice *dice)
{
	uint64_t page = memory_address(dice) & FRAME;

	if (memory_is_harmless(page) && !machine.bare && !(page >> machine.physical_bits))
		return page;
	return page_of(dice, arena.data, DATA_PAGES);
}

static bool is_reserved(uint64_t gpa)
{
	for (unsigned int i = 0; i < reserved_count; i++) {
		if (gpa >= reserved[i].start && gpa < reserved[i].end)
			return true;
	}
	return false;
}

static bool in_arena(uint64_t gpa)
{
	return gpa >= arena.start && gpa < arena.end;
}

bool memory_is_harmless(uint64_t gpa)
{
	if (in_arena(gpa))
		return true;
	if (gpa >= top && gpa >= SIZE_4G)
		return true;
	if (machine.bare)
		return false;
	if (is_reserved(gpa))
		return true;
	return memory_devices && (gpa >= top || (gpa >= VGA_START && gpa < ROM_END));
}

bool memory_is_ram(uint64_t gpa)
{
	return gpa < top && !is_reserved(gpa) && (gpa < VGA_START || gpa >= ROM_END);
}

/* Some page of the arena's, which the address decides. */
static uint64_t instead_of(uint64_t gpa)
{
	return arena.tables + (gpa >> PAGE_SHIFT) % (TABLE_PAGES + DATA_PAGES) * PAGE_SIZE;
}

uint64_t memory_tame_address(uint64_t gpa)
{
	if (!memory_is_harmless(gpa & FRAME))
		gpa = (gpa & ~FRAME) | instead_of(gpa & FRAME);
	/* A 32-bit register takes half of it, and another processor may write the other half. */
	if (!memory_is_harmless(gpa & LOW_FRAME))
		gpa = (gpa & ~LOW_FRAME) | instead_of(gpa & LOW_FRAME);
	return gpa;
}

/* Of what is no memory, only what a hypervisor may have there is written: no device. */
static bool may_write(uint64_t frame, bool large)
{
	if (large)
		return frame == arena.start && !machine.bare;
	return in_arena(frame) || is_reserved(frame) || frame >= SIZE_4G;
}

/*
 * A present entry may be read as one that maps 4 KiB, 2 or 4 MiB, 1 GiB, or as one that names a
 * table, which then gets A bits; of 8 bytes, or as two of 4.
 */
uint64_t memory_tame_entry(uint64_t entry)
{
	uint64_t low = entry & 0xffffffffu, high = entry >> 32;

	if (low & LOW_P) {
		if (!memory_is_harmless(entry & FRAME))
			entry = (entry & ~FRAME) | instead_of(entry & FRAME);
		if (!memory_is_harmless(entry & LOW_FRAME))
			entry = (entry & ~LOW_FRAME) | instead_of(entry & LOW_FRAME);
		if (!may_write(entry & FRAME, entry & PT_LARGE) ||
		    !may_write(entry & LOW_FRAME, entry & PT_LARGE))
			entry &= ~LOW_W;
	}
	if (high & LOW_P) {
		if (!memory_is_harmless(high & LOW_FRAME))
			entry &= ~(LOW_P << 32);
		if (!may_write(high & LOW_FRAME, high & PT_LARGE))
			entry &= ~(LOW_W << 32);
	}
	return entry;
}
