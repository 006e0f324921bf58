/*
 * What the tests of synchronization share: a machine without tracking, so that each flush reads.
 */
#ifndef TESTS_UNIT_SYNC_TEST_H
#define TESTS_UNIT_SYNC_TEST_H

#include "tests/unit/mmu_test.h"

enum { ASID = 5, OTHER_ASID = 6 };

#define ADDRESS 0x40201000ull
#define FRAME_A FRAME_1G
#define FRAME_B (FRAME_1G + 0x5000)

struct machine {
	struct rig *rig;
	struct guest_tables a, b; /* two roots of 4 levels */
};

static inline void start(struct machine *m)
{
	m->rig = rig_new(4, true, 64);
	m->a = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m->rig));
	m->b = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m->rig));
}

static inline void end(struct machine *m)
{
	assert_ok_invariants(m->rig);
	rig_free(m->rig);
}

static inline uint64_t run(struct machine *m, unsigned int cpu, const struct guest_tables *tables,
                           uint32_t asid)
{
	return mmu_load_root(&m->rig->mmu, &m->rig->cpu[cpu], tables, asid);
}

static inline int touch(struct machine *m, const struct guest_tables *tables, uint64_t address,
                        uint32_t access)
{
	return rig_access(m->rig, 0, tables, address, access);
}

/* Where the processor finds the address now, without a fault; 0: nowhere. */
static inline uint64_t seen(struct machine *m, uint64_t root, uint64_t address)
{
	struct host_result walk = rig_walk(m->rig, root, address);

	return walk.status == HOST_OK ? walk.hpa : 0;
}

static inline bool writable(struct machine *m, uint64_t root, uint64_t address)
{
	struct host_result walk = rig_walk(m->rig, root, address);

	return walk.status == HOST_OK && walk.write;
}

#define HPA(gpa) ((gpa) ^ RIG_HPA_BIT)

#endif
