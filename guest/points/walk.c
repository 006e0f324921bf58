/*
 * Nested faults under L2's own page tables: bit 33 instead of bit 32, always as a write, with the
 * address of L2's entry (APM 15.25.6). Only tables that the alias alone uses are taken away, so
 * that the walk which faults is that of the data. Relies on guest/lib.
 */
#include "guest/points/points.h"
#include "hv/print.h"

#define TABLE (NPF_TABLE | NPF_USER | NPF_WRITE)

static const char *const level_names[] = {
	"", "last level", "second level", "third level", "fourth level", "fifth level",
};

static char names[PT_MAX_LEVELS + 1][3][80];

static const char *name_of(unsigned int level, unsigned int which, const char *format)
{
	char *name = names[level][which];

	snprint(name, sizeof(names[0][0]), format, level_names[level]);
	return name;
}

static void at_level(struct l2 *l2, uint64_t ngva, unsigned int level)
{
	uint64_t entry = pt_entry_address(&l2->own, ngva, level);
	uint64_t page = pt_get(&l2->npt, entry, 1);

	point(name_of(level, 0, "a missing page under a table of the %s faults"));
	pt_set(&l2->npt, entry, 1, 0);
	l2->flush = true;
	l2->regs.rbx = ngva;
	l2_start(l2, L2_READ);
	l2_check_npf(l2, TABLE, entry);

	point(name_of(level, 1, "a read-only page under a table of the %s faults"));
	pt_set(&l2->npt, entry, 1, page & ~PT_WRITE);
	l2_run(l2);
	l2_check_npf(l2, TABLE | NPF_PRESENT, entry);

	point(name_of(level, 2, "a walk through a table of the %s goes on once L1 allows it"));
	pt_set(&l2->npt, entry, 1, page);
	l2_run(l2);
	l2_check_value(l2, 0x5c4a7c4);
}

void points_walk(const struct l2_kind *kind)
{
	uint64_t ngva = kind->alias + L2_SCRATCH;
	struct l2 *l2;
	uint64_t entry, leaf;

	if (!kind->format || !tap_group(kind->name, "walk"))
		return;
	if (l2_lacks_nesting) {
		point("a page that is missing under L2's own tables faults");
		point_skip(l2_lacks_nesting);
		return;
	}
	l2 = l2_new(0, kind);
	*(uint32_t *)(l2->low + L2_SCRATCH) = 0x5c4a7c4;
	for (unsigned int level = 1; level < kind->format->levels; level++)
		at_level(l2, ngva, level);

	point("L2's walk sets A in its table, and D under the table in L1's");
	entry = pt_entry_address(&l2->own, ngva, 1);
	leaf = pt_get(&l2->own, ngva, 1);
	pt_set(&l2->own, ngva, 1, leaf & ~(PT_ACCESSED | PT_DIRTY));
	pt_clear(&l2->npt, entry, 1, PT_ACCESSED | PT_DIRTY);
	l2->flush = true;
	l2->regs.rbx = ngva;
	l2_start(l2, L2_READ);
	l2_check_done(l2);
	check("A and D in L2's entry", pt_get(&l2->own, ngva, 1) & (PT_ACCESSED | PT_DIRTY),
	      PT_ACCESSED);
	check("A and D in L1's entry", pt_get(&l2->npt, entry, 1) & (PT_ACCESSED | PT_DIRTY),
	      PT_ACCESSED | PT_DIRTY);

	point("L2's write sets D in its table");
	l2_start(l2, L2_WRITE);
	l2_check_done(l2);
	check("A and D in L2's entry", pt_get(&l2->own, ngva, 1) & (PT_ACCESSED | PT_DIRTY),
	      PT_ACCESSED | PT_DIRTY);
}
