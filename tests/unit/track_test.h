/*
 * What the tests of tracked frames with one processor share. L1's processor is the test itself: it
 * sets D when it writes, but not while it has D=1 cached.
 */
#ifndef TESTS_UNIT_TRACK_TEST_H
#define TESTS_UNIT_TRACK_TEST_H

#include "tests/unit/mmu_test.h"

enum { ASID = 5 };

#define ADDRESS 0x40201000ull
#define FRAME_A (4 * GIB)
#define FRAME_B (4 * GIB + 0x5000)

struct machine {
	struct rig *rig;
	struct mmu *mmu;
	struct mmu_cpu *cpu;
	struct guest_tables tables;
	uint64_t npt01, root;
};

/* The state is a machine that runs L2 by a table whose ADDRESS leads to FRAME_A. */
static inline int track_start(void **state)
{
	static struct machine m;

	m.rig = rig_new(4, true, 128);
	m.mmu = &m.rig->mmu;
	m.cpu = &m.rig->cpu[0];
	m.mmu->phys_bits = 48;
	rig_track(m.rig);
	m.npt01 = mmu_direct_root(m.mmu, m.cpu);
	m.tables = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m.rig));
	rig_put(m.rig, &m.tables, ADDRESS, 1, FRAME_A | E_PAGE);
	*state = &m;
	return 0;
}

static inline int track_end(void **state)
{
	struct machine *m = *state;

	return end_rig(m->rig);
}

/* L1 writes an entry by NPT01, as its processor does that has nothing cached. */
static inline void l1_writes(struct machine *m, uint64_t address, int level, uint64_t entry)
{
	uint64_t gpa = rig_entry(m->rig, &m->tables, address, level);
	struct host_result seen = rig_walk(m->rig, m->npt01, gpa);

	if (seen.status != HOST_OK) {
		assert_true(mmu_direct_fault(m->mmu, m->cpu, gpa));
		seen = rig_walk(m->rig, m->npt01, gpa);
	}
	assert_int_equal(seen.hpa, gpa);
	*seen.leaf |= PTE_D;
	rig_put(m->rig, &m->tables, address, level, entry);
}

static inline uint64_t counted(struct machine *m)
{
	return m->mmu->counters->tables_read;
}

/* Flush, VMRUN. Returns how many tables were read for it. */
static inline uint64_t flush_and_run(struct machine *m)
{
	uint64_t before = counted(m);

	mmu_flush_asid(m->cpu, ASID);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	return counted(m) - before;
}

static inline void run_and_touch(struct machine *m)
{
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, ACCESS_WRITE), RIG_OK);
	flush_and_run(m);
}

static inline uint64_t leaf_of(struct machine *m, uint64_t gpa)
{
	struct host_result seen = rig_walk(m->rig, m->npt01, gpa);

	assert_int_equal(seen.status, HOST_OK);
	return *seen.leaf;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, track_start, track_end)

#endif
