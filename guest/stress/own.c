/*
 * L1's own paging: many CR3s in a row, and more tables in use at once than can be shadowed. Where a
 * hypervisor uses nested paging for L1 that is nothing to it; where it shadows L1's tables it is
 * what fills its memory. Relies on stress.h, and on L1's identity mapping of 4 GiB.
 */
#include "guest/stress/stress.h"

enum {
	VARIANTS = 16,
	VARIANT_PAGES = 8,
	ROUNDS_SHARE = 8, /* one of so many rounds= is done here */
	FRAMES = 64,
	WIDE_PASSES = 3,
	PAE_ROOT_BYTES = 32,
};

#define AT        0xd0000000u /* no device that L1 uses is behind it */
#define WIDE      0xd0400000u
#define WIDE_SIZE 0x0a000000u
#define VALUE     0x0c30000u

_Static_assert(VARIANTS == 16, "four bits of a product choose one");

static struct pt variants[VARIANTS];

static unsigned int root_bytes(void)
{
	return l1_tables.format->levels == 3 ? PAE_ROOT_BYTES : PAGE_SIZE;
}

static void copy(uint64_t to, uint64_t from, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i += 4)
		*stress_word(to + i) = *stress_word(from + i);
}

/* L1's tables, but with tables of its own on the way to AT, and a page there. */
static void make_variant(struct pt *pt, uint64_t frame)
{
	uint64_t pages = stress_pages(VARIANT_PAGES);

	pt_init(pt, l1_tables.format, pages, pages + VARIANT_PAGES * PAGE_SIZE, 0);
	copy(pt->root, l1_tables.root, root_bytes());
	for (unsigned int level = pt->format->levels; level > 1; level--) {
		uint64_t entry = pt_get(pt, AT, level), table = stress_pages(1);

		if ((entry & PT_PRESENT) && !(entry & PT_LARGE))
			copy(table, entry & 0x000ffffffffff000ull, PAGE_SIZE);
		pt_set(pt, AT, level, table | pt->format->level[level].table_flags);
	}
	pt_set(pt, AT, 1, frame | PT_RW);
}

static bool shows(uint64_t root, unsigned int which)
{
	uint32_t value;

	write_cr3((unsigned long)root);
	value = *stress_word(AT);
	return value == VALUE + which || check("the page at this root", value, VALUE + which);
}

static void many_roots(void)
{
	uint64_t first = stress_free_start();
	unsigned int bytes = root_bytes(), rounds = stress_rounds / ROUNDS_SHARE;
	unsigned int count = (unsigned int)(stress_free_end() - first) / bytes;

	if (count > rounds)
		count = rounds;
	point("many CR3s in a row show each its own page");
	for (unsigned int round = 0; round < rounds; round++) {
		unsigned int which = round * 2654435761u >> 28;
		uint64_t root = first + (uint64_t)(round % count) * bytes;

		copy(root, variants[which].root, bytes);
		if (!shows(root, which))
			break;
	}
	write_cr3((unsigned long)l1_tables.root);
}

/* The frame that page n of the wide range leads to. */
static uint64_t wide_frame(uint64_t frames, unsigned int n, unsigned int pass)
{
	return frames + (uint64_t)((n + pass * 7) % FRAMES) * PAGE_SIZE;
}

static void wide(void)
{
	unsigned int pages = WIDE_SIZE / PAGE_SIZE;
	struct pt *pt = &variants[0];
	uint64_t frames = stress_pages(FRAMES), tables;

	tables = stress_pages(2 * (WIDE_SIZE >> 21) + 2);
	pt->next = tables;
	pt->end = stress_free_start();
	for (unsigned int i = 0; i < FRAMES; i++)
		*stress_word(frames + i * PAGE_SIZE) = VALUE + i;

	for (uint64_t at = WIDE; at < WIDE + WIDE_SIZE; at += 1u << 21)
		pt_set(pt, at, 2, 0); /* a large page of the identity */
	point("more tables than can be shadowed at once, each page in use");
	write_cr3((unsigned long)pt->root);
	for (unsigned int pass = 0; pass < WIDE_PASSES; pass++) {
		for (unsigned int n = 0; n < pages; n++)
			pt_map(pt, WIDE + (uint64_t)n * PAGE_SIZE, wide_frame(frames, n, pass), 1,
			       PT_RW);
		write_cr3((unsigned long)pt->root);
		for (unsigned int n = 0; n < pages; n++) {
			volatile uint32_t *word = stress_word(WIDE + (uint64_t)n * PAGE_SIZE);
			uint32_t frame = (n + pass * 7) % FRAMES;

			if (*word != VALUE + frame) {
				check("the page", *word, VALUE + frame);
				goto done;
			}
			*word = VALUE + frame;
		}
	}
done:
	write_cr3((unsigned long)l1_tables.root);
}

void stress_own(void)
{
	uint64_t mark = stress_free_start();

	if (!tap_group("stress", "own"))
		return;
	for (unsigned int i = 0; i < VARIANTS; i++) {
		uint64_t frame = stress_pages(1);

		*stress_word(frame) = VALUE + i;
		make_variant(&variants[i], frame);
	}
	many_roots();
	wide();
	point_end();
	stress_release(mark);
}
