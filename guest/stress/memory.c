/*
 * Free memory, nested tables in it, and random numbers. Relies on the memory map.
 */
#include "guest/lib/free_memory.h"
#include "guest/stress/stress.h"

enum { ROUNDS = 65536, LEAST_BYTES = 64 << 20 };

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
	struct free_memory memory = free_memory_find(LEAST_BYTES);

	stress_rounds = rounds_wanted();
	next = memory.start;
	end = memory.end;
	top = memory.top;
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
