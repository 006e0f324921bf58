/*
 * What the tests of roots share: a row for each kind of root that L0 has above a guest's tables
 * (docs/roots.md), and its shadow pages.
 */
#ifndef TESTS_UNIT_ROOT_ROWS_H
#define TESTS_UNIT_ROOT_ROWS_H

#include "tests/unit/mmu_test.h"

static const struct row {
	const char *name;
	enum pt_format_id id;
	uint32_t flags;
	int host_levels;
	unsigned int delta; /* of the root */
	bool local;
} rows[] = {
	{"R7 4-level, PSE=0", PT_2LEVEL, 0, 4, 2, true},
	{"R7 5-level, PSE=0", PT_2LEVEL, 0, 5, 3, true},
	{"R7 4-level, PSE=1", PT_2LEVEL, MODE_PSE, 4, 2, true},
	{"R7 5-level, PSE=1", PT_2LEVEL, MODE_PSE, 5, 3, true},
	{"R8 4-level", PT_PAE, MODE_NX, 4, 1, true},
	{"R8 5-level", PT_PAE, MODE_NX, 5, 2, true},
	{"R10", PT_4LEVEL, MODE_NX | MODE_1G, 4, 0, false},
	{"R11", PT_4LEVEL, MODE_NX | MODE_1G, 5, 1, false},
	{"R12", PT_5LEVEL, MODE_NX | MODE_1G, 5, 0, false},
	{"R9 2-level, PSE=0", PT_2LEVEL, 0, 3, 1, true},
	{"R9 2-level, PSE=1", PT_2LEVEL, MODE_PSE, 3, 1, true},
	{"R9 PAE", PT_PAE, MODE_NX, 3, 0, true},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static inline struct guest_tables tables_of(struct rig *rig, const struct row *row)
{
	return rig_guest(row->id, row->flags, 48, rig_new_table(rig));
}

static inline struct shadow_page *page_at(struct rig *rig, uint64_t hpa)
{
	return &rig->mmu.pages[(hpa - RIG_TABLES_HPA) >> PT_PAGE_SHIFT];
}

/* The shadow pages from the root down to the leaf of an address. */
static inline unsigned int path(struct rig *rig, uint64_t root, uint64_t address,
                                struct shadow_page **pages)
{
	struct host_result walk = rig_walk(rig, root, address);

	assert_int_equal(walk.status, HOST_OK);
	for (unsigned int i = 0; i < walk.points; i++)
		pages[walk.point[i].level] = page_at(rig, walk.point[i].hpa);
	return walk.points;
}

#endif
