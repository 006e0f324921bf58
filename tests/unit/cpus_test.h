/*
 * What the tests of tracked frames with several processors share. The test itself is L1's
 * processors: it sets D or, where they may have D=1 cached, does not.
 */
#ifndef TESTS_UNIT_CPUS_TEST_H
#define TESTS_UNIT_CPUS_TEST_H

#include "tests/unit/mmu_test.h"

/* Of the guest that L1 runs. */
enum { ASID = 5 };

#define ADDRESS 0x40201000ull
#define FRAME_A (4 * GIB)
#define FRAME_B (4 * GIB + 0x5000)

struct machine {
	struct rig *rig;
	struct mmu *mmu;
	struct mmu_cpu *cpu; /* RIG_CPUS of them */
	struct guest_tables tables;
	uint64_t npt01[RIG_CPUS], root, table;
};

/* The state is a machine whose ADDRESS leads to FRAME_A through table, which has no shadow yet. */
int cpus_start(void **state);
/* Fails when an invariant does not hold. */
int cpus_end(void **state);

/* L1's processor has a translation of the gpa; it is made if it is missing. Returns the leaf. */
uint64_t *reach(struct machine *m, int cpu, uint64_t gpa);
/* L1 writes the entry for ADDRESS. */
void edit(struct machine *m, uint64_t entry);

/* Flush and VMRUN on processor 0. Returns how many tables were read for it. */
uint64_t flush_and_run(struct machine *m);
/* The hpa that ADDRESS leads to on processor 0, without a flush. */
uint64_t leads_to(struct machine *m);
/* Processors run L1, have flushed what they had to, and the table is shadowed. */
void begin(struct machine *m);

struct path {
	uint64_t *leaf, *above, *upper;
};
struct path path_of(struct machine *m, int cpu, uint64_t gpa);
/* L1 comes to a leaf with nothing cached, and writes by it. */
void write_by(struct path path);

#define TEST(name) cmocka_unit_test_setup_teardown(name, cpus_start, cpus_end)

#endif
