/*
 * A machine of several processors that tracks frames, for unit tests. Relies on
 * tests/unit/cpus_test.h.
 */
#include "tests/unit/cpus_test.h"

int cpus_start(void **state)
{
	static struct machine m;

	m.rig = rig_new(4, true, 128);
	m.mmu = &m.rig->mmu;
	m.cpu = m.rig->cpu;
	m.mmu->phys_bits = 48;
	rig_track(m.rig);
	for (int i = 0; i < 2; i++) /* the third one comes late */
		m.npt01[i] = mmu_direct_root(m.mmu, &m.cpu[i]);
	m.tables = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m.rig));
	rig_put(m.rig, &m.tables, ADDRESS, 1, FRAME_A | E_PAGE);
	m.table = rig_entry(m.rig, &m.tables, ADDRESS, 1) & ~0xfffull;
	*state = &m;
	return 0;
}

int cpus_end(void **state)
{
	struct machine *m = *state;

	return end_rig(m->rig);
}

uint64_t *reach(struct machine *m, int cpu, uint64_t gpa)
{
	struct host_result seen = rig_walk(m->rig, m->npt01[cpu], gpa);

	if (seen.status != HOST_OK) {
		assert_true(mmu_direct_fault(m->mmu, &m->cpu[cpu], gpa));
		seen = rig_walk(m->rig, m->npt01[cpu], gpa);
	}
	assert_int_equal(seen.hpa, gpa);
	return seen.leaf;
}

void edit(struct machine *m, uint64_t entry)
{
	rig_put(m->rig, &m->tables, ADDRESS, 1, entry | E_PAGE);
}

uint64_t flush_and_run(struct machine *m)
{
	uint64_t before = m->mmu->counters->tables_read;

	mmu_flush_asid(m->cpu, ASID);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	return m->mmu->counters->tables_read - before;
}

uint64_t leads_to(struct machine *m)
{
	struct host_result seen;

	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	seen = rig_walk(m->rig, m->root, ADDRESS);
	return seen.hpa;
}

void begin(struct machine *m)
{
	flush_and_run(m);
	assert_int_equal(leads_to(m), FRAME_A);
	for (int i = 0; i < 2; i++) {
		reach(m, i, m->table);
		mmu_direct_flushed(&m->cpu[i]);
	}
	while (flush_and_run(m))
		;
}

struct path path_of(struct machine *m, int cpu, uint64_t gpa)
{
	struct host_result seen = rig_look(m->rig, m->npt01[cpu], gpa);

	return (struct path){seen.leaf, seen.above, seen.upper};
}

void write_by(struct path path)
{
	*path.upper |= PTE_A;
	*path.above |= PTE_A;
	*path.leaf |= PTE_D;
}
