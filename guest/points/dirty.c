/*
 * The accessed and dirty bits that L2's accesses set in L1's nested tables. Relies on guest/lib;
 * APM 15.25.
 */
#include "guest/points/points.h"

static uint64_t bits(struct l2 *l2, uint64_t ngpa, unsigned int level)
{
	return pt_get(&l2->npt, ngpa, level) & (PT_ACCESSED | PT_DIRTY);
}

static void clear(struct l2 *l2, uint64_t ngpa, unsigned int level)
{
	pt_clear(&l2->npt, ngpa, level, PT_ACCESSED | PT_DIRTY);
	l2->flush = true;
}

static void leaf(struct l2 *l2, uint64_t ngpa, unsigned int level)
{
	clear(l2, ngpa, level);
	l2_read(l2, ngpa);
	l2_check_done(l2);
	check("A and D after a read", bits(l2, ngpa, level), PT_ACCESSED);
	l2_write(l2, ngpa, 1);
	l2_check_done(l2);
	check("A and D after a write", bits(l2, ngpa, level), PT_ACCESSED | PT_DIRTY);
	clear(l2, ngpa, level);
	l2_write(l2, ngpa, 2);
	l2_check_done(l2);
	check("A and D after a write alone", bits(l2, ngpa, level), PT_ACCESSED | PT_DIRTY);
}

void points_dirty(const struct l2_kind *kind)
{
	uint64_t ngpa = L2_SMALL + 8 * PAGE_SIZE, idle = L2_SMALL + 11 * PAGE_SIZE;
	struct l2 *l2;

	if (!tap_group(kind->name, "dirty"))
		return;
	l2 = l2_new(0, kind);

	point("a read sets A of a 4 KiB page, a write sets D");
	leaf(l2, ngpa, 1);

	point("a read sets A of a large page, a write sets D");
	if (l2->npt.format->level[2].large)
		leaf(l2, L2_LARGE, 2);
	else
		point_skip("the nested format has no large pages");

	point("an access sets A in the entries above");
	for (unsigned int level = 2; level <= l2->npt.format->levels; level++) {
		/* A PDPTE of a PAE table has no A. */
		if (l2->npt.format->level[level].table_flags == PT_PRESENT)
			continue;
		clear(l2, ngpa, level);
		l2_read(l2, ngpa);
		l2_check_done(l2);
		check("A above", bits(l2, ngpa, level) & PT_ACCESSED, PT_ACCESSED);
	}

	point("a page that L2 leaves alone keeps A and D clear");
	check("A and D", bits(l2, idle, 1), 0);

	point("a fetch sets A and not D");
	clear(l2, L2_EXEC, 1);
	l2_fetch(l2);
	l2_check_done(l2);
	check("A and D", bits(l2, L2_EXEC, 1), PT_ACCESSED);

	point("a fault on a read-only page does not set D");
	pt_clear(&l2->npt, ngpa, 1, PT_WRITE);
	clear(l2, ngpa, 1);
	l2_write(l2, ngpa, 3);
	l2_check_exit(l2, l2_fault_exit(l2));
	check("D", bits(l2, ngpa, 1) & PT_DIRTY, 0);
}
