/*
 * Free memory, nested tables in it, and random numbers. Relies on the memory map.
 */
#include "guest/stress/stress.h"

enum { ROUNDS = 65536, FEWEST_PAGES = 16384 };

#define LIMIT 0xc0000000ull /* from here on, machines have other things */

extern char image_end[];

unsigned int stress_rounds;

static uint64_t next, end, top;
static uint32_t state = 0x2545f491;

uint32_t stress_random(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

uint32_t stress_below(uint32_t n)
{
	return (uint32_t)((uint64_t)stress_random() * n >> 32);
}

static unsigned int rounds_wanted(void)
{
	const char *text = cmdline_value("rounds");
	unsigned int value = 0;

	if (!text)
		return ROUNDS;
	for (; *text >= '0' && *text <= '9' && value < 100000000; text++)
		value = value * 10 + (unsigned int)(*text - '0');
	if (*text || !value)
		run_skipped("rounds= is no number from 1 on");
	return value;
}

void stress_memory_init(void)
{
	uint64_t image = ((uintptr_t)image_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

	stress_rounds = rounds_wanted();
	for (unsigned int i = 0; memory_range(i); i++) {
		const struct memory_range *range = memory_range(i);
		uint64_t from = range->start > image ? range->start : image;
		uint64_t to = range->end < LIMIT ? range->end : LIMIT;

		from = (from + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
		to &= ~(uint64_t)(PAGE_SIZE - 1);
		if (!range->usable || from >= to)
			continue;
		if (to > top)
			top = to;
		if (to - from > end - next) {
			next = from;
			end = to;
		}
	}
	if (end - next < (uint64_t)FEWEST_PAGES * PAGE_SIZE)
		run_skipped("less than 64 MiB of free memory in the loader's map");
}

uint64_t stress_free_start(void)
{
	return next;
}

uint64_t stress_free_end(void)
{
	return end;
}

uint64_t stress_top(void)
{
	return top;
}

uint64_t stress_pages(unsigned int count)
{
	uint64_t first = next;

	if (end - next < (uint64_t)count * PAGE_SIZE)
		run_failed("# no free memory for another %u pages\n", count);
	next += (uint64_t)count * PAGE_SIZE;
	memset((void *)(uintptr_t)first, 0, (size_t)count * PAGE_SIZE);
	return first;
}

void stress_release(uint64_t mark)
{
	next = mark;
}

void stress_tree(struct pt *tree, const struct l2 *l2, unsigned int pages)
{
	uint64_t pool = stress_pages(pages);

	pt_init(tree, l2_format, pool, pool + (uint64_t)pages * PAGE_SIZE, 0);
	pt_map_range(tree, 0, l2_gpa(l2->low), L2_LOW_END, 1, PT_RWU);
}

void stress_use(struct l2 *l2, const struct pt *tree)
{
	l2->npt = *tree;
	l2->vmcb->control.nested_cr3 = tree->root;
	l2->flush = true;
}
