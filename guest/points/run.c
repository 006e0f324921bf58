/*
 * L2 of each kind computes, and reads and writes through nested pages of both sizes. Relies on
 * guest/lib. checklist.md: Nested paging.
 */
#include "guest/points/points.h"

enum { ROUNDS = 1000, SEED = 12345 };

/* What the snippet computes, done by L1. */
static uint32_t expected(uint32_t seed, unsigned int rounds)
{
	while (rounds--)
		seed = seed * 1664525u + 1013904223u;
	return seed;
}

void points_run(const struct l2_kind *kind)
{
	const uint32_t inside = 0x123458;
	struct l2 *l2;

	if (!tap_group(kind->name, "run"))
		return;
	l2 = l2_new(0, kind);

	point("computes");
	l2->vmcb->save.rax = SEED;
	l2->regs.rcx = ROUNDS;
	l2_start(l2, L2_COMPUTE);
	l2_check_value(l2, expected(SEED, ROUNDS));

	point("reads through a 4 KiB nested page");
	l2_small_frame(l2, 5)[3] = 0xc0ffee05;
	l2_read(l2, L2_SMALL + 5 * PAGE_SIZE + 12);
	l2_check_value(l2, 0xc0ffee05);

	point("writes through a 4 KiB nested page");
	l2_write(l2, L2_SMALL + 6 * PAGE_SIZE + 16, 0x600d0006);
	l2_check_done(l2);
	check("L1 sees", l2_small_frame(l2, 6)[4], 0x600d0006);
	check("the page before", l2_small_frame(l2, 5)[4], 0);

	point("reads across two nested pages");
	memcpy((char *)l2_small_frame(l2, 9) - 2, "\x11\x22\x33\x44", 4);
	l2_read(l2, L2_SMALL + 9 * PAGE_SIZE - 2);
	l2_check_value(l2, 0x44332211);

	point("reads through a large nested page");
	if (!l2->npt.format->level[2].large)
		point_skip("the nested format has no large pages");
	*l2_large_frame(inside) = 0xfeedbeef;
	l2_read(l2, L2_LARGE + inside);
	l2_check_value(l2, 0xfeedbeef);

	point("writes through a large nested page");
	if (!l2->npt.format->level[2].large)
		point_skip("the nested format has no large pages");
	l2_write(l2, L2_LARGE + inside + 4, 0x0ddba11);
	l2_check_done(l2);
	check("L1 sees", *l2_large_frame(inside + 4), 0x0ddba11);
	*l2_large_frame(inside) = *l2_large_frame(inside + 4) = 0;

	point("fetches from a nested page");
	l2_fetch(l2);
	l2_check_value(l2, L2_FETCHED_VALUE);
}
