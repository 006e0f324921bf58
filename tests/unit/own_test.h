/*
 * What the tests of a guest's own paging share: one processor, tables that map themselves, and
 * stores that go through them. Relies on tests/model/own_rig.h and cmocka.
 */
#ifndef TESTS_UNIT_OWN_TEST_H
#define TESTS_UNIT_OWN_TEST_H

#include "tests/unit/mmu_test.h"

#include "tests/model/own_rig.h"

struct own_bench {
	struct rig *rig;
	struct mmu *mmu;
	struct mmu_cpu *cpu;
	struct guest_tables tables;
	uint64_t pdptes[4];
	uint64_t root;
};

/* Where the guest has the pages of low memory mapped, one after the other. */
#define WINDOW 0xc0400000ull

/* L1's own ASID, and one of its guests. */
enum { L1_ASID, L2_ASID = 3 };

void own_begin(struct own_bench *bench, enum pt_format_id id, uint32_t flags);
/* The same with a pool of so many pages. */
void own_begin_with(struct own_bench *bench, enum pt_format_id id, uint32_t flags, uint32_t pages);
/* Another processor of the same guest, which loads the same tables. */
void own_second(struct own_bench *second, const struct own_bench *bench);
/* Fails when an invariant does not hold. */
void own_end(struct own_bench *bench);

/* MOV CR3 with what stands there: flushes, and loads PDPTEs. */
void own_mov_cr3(struct own_bench *bench);

struct own_seen own_look(const struct own_bench *bench, uint64_t address);
/* With ACCESS_SMAP_CHECK: though EFLAGS.AC is 1, as the processor reads for itself. */
#define OWN_IMPLICIT (1u << 30)

/*
 * An access by what is loaded; faults are handled by what the processor tells of them. RIG_OK,
 * REFLECTED(code) or RIG_ENDLESS.
 */
int own_touch(struct own_bench *bench, uint64_t address, uint32_t access);
/* The same by other tables. */
int own_touch_by(struct own_bench *bench, const struct guest_tables *tables, uint64_t root,
                 uint64_t address, uint32_t access);

/* The guest writes its entry for an address, through the window. */
void own_put(struct own_bench *bench, uint64_t address, int level, uint64_t entry);

struct shadow_page *own_page(const struct own_bench *bench, uint64_t hpa);

#endif
