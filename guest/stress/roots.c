/*
 * Many different nCR3 in a row: as many as rounds= says, in all the memory that roots fit in. Each
 * root is a copy of one of a few, which show different frames at one ngpa, so that a root that was
 * kept for another one shows. Relies on stress.h.
 */
#include "guest/stress/stress.h"

enum {
	VARIANTS = 16,
	TREE_PAGES = 16,
	PAE_ROOT_BYTES = 32,
	REVISIT = 16, /* every so many, an older root is used again */
};

#define VALUE 0x90070000u

static struct pt trees[VARIANTS];

/* The variant that the root of this round is a copy of. */
static unsigned int variant(unsigned int round)
{
	return round * 2654435761u >> 28;
}
_Static_assert(VARIANTS == 16, "variant() gives four bits");

static void copy(uint64_t to, uint64_t from, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i += 4)
		*stress_word(to + i) = *stress_word(from + i);
}

static bool shows(struct l2 *l2, uint64_t root, unsigned int which)
{
	l2->vmcb->control.nested_cr3 = root;
	l2->flush = true;
	l2_read(l2, STRESS_FAR);
	return l2_check_value(l2, VALUE + which);
}

static void in_a_row(struct l2 *l2, bool revisit)
{
	unsigned int bytes = l2_format->levels == 3 ? PAE_ROOT_BYTES : PAGE_SIZE;
	uint64_t first = stress_free_start();
	unsigned int count = (unsigned int)(stress_free_end() - first) / bytes;

	if (count > stress_rounds)
		count = stress_rounds;
	for (unsigned int round = 0; round < stress_rounds; round++) {
		uint64_t root = first + (uint64_t)(round % count) * bytes;
		unsigned int back = stress_below(round < count ? round + 1 : count);

		copy(root, trees[variant(round)].root, bytes);
		if (!shows(l2, root, variant(round)))
			return;
		if (!revisit || round % REVISIT)
			continue;
		root = first + (uint64_t)((round - back) % count) * bytes;
		if (!shows(l2, root, variant(round - back)))
			return;
	}
}

void stress_roots(void)
{
	uint64_t mark = stress_free_start();
	struct l2 *l2;

	if (!tap_group("stress", "roots"))
		return;
	l2 = l2_new(0, &l2_prot);
	for (unsigned int i = 0; i < VARIANTS; i++) {
		stress_tree(&trees[i], l2, TREE_PAGES);
		pt_map(&trees[i], STRESS_FAR, l2_gpa(l2_small_frame(l2, i)), 1, PT_RWU);
		*l2_small_frame(l2, i) = VALUE + i;
	}

	point("many roots in a row show each its own page");
	in_a_row(l2, false);
	point("roots that were used before show their own page again");
	in_a_row(l2, true);
	point_end();
	stress_release(mark);
}
