/*
 * What a script runs in: mmu/ on the rig, the model beside it, and roots, addresses and entries
 * by number. Relies on tests/model/rig.h, history.h and script.h.
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "tests/model/entries.h"
#include "tests/model/history.h"
#include "tests/model/rig.h"
#include "tests/model/watch.h"

enum { WORLD_ROOTS = 24, WORLD_ASIDS = 3, WORLD_ADDRESSES = 256, WORLD_POINTS = 96 };

/* A table that a processor came to and may start from again until it flushes. */
struct cached_point {
	struct host_point point;
	uint64_t address;
	unsigned int cpu, asid, root; /* root WORLD_ROOTS: NPT01 */
};

struct world_cpu {
	bool running; /* has loaded a root since the last flush */
	bool in_l2;   /* and runs on it now: a window of used[] is open */
	unsigned int root, asid;
	uint8_t address; /* number of the last one */
	uint64_t hpa, direct;
	struct windows used[WORLD_ASIDS][WORLD_ROOTS];
	bool in_l1;                             /* since the last call of mmu/ for this processor */
	bool l1_writes[RAM_PAGES];              /* a translation of NPT01 with D=1 may be cached */
	bool l1_comes[RAM_PAGES];               /* what leads to its leaf may be */
	bool l1_upper[RAM_PAGES];               /* what leads there */
	int l1_size[RAM_PAGES];                 /* level of the leaf that may be; 0: none is */
	bool l2_writes[WORLD_ASIDS][RAM_PAGES]; /* one of NPT02 with W */
};

struct world {
	struct rig *rig;
	struct guest_tables tables[2];
	struct ref_mode mode[2];
	uint64_t pat[2];
	unsigned int cpus, self; /* self: the processor at work */
	bool heeds_kicks;
	bool near;     /* what L2 uses lies in a row */
	bool tracking; /* frames: L1's writes show in D bits of NPT01 */
	struct world_cpu cpu[RIG_CPUS];
	struct cached_point point[WORLD_POINTS];
	unsigned int points; /* ever stored: the place is modulo WORLD_POINTS */

	struct watched_pages watched;
	uint64_t woken; /* L1's writes where A above the giant was not set */

	const struct op *race; /* pending; happens after countdown looks at guest memory */
	unsigned int countdown;
	bool racing, raced;
	bool amid; /* the work of mmu/ */

	struct script_run run;
};

void world_init(struct world *world, const struct setting *setting);
void world_end(struct world *world);

/* Ends the run. */
#define world_fail(world, ...) script_fail(&(world)->run, __VA_ARGS__)

/* L0 maps 4 GiB: what guest memory there is above is not L1's. */
static inline bool world_is_pae(const struct world *world)
{
	return world->rig->mmu.host_levels == 3;
}

static inline unsigned int world_l1_pages(const struct world *world)
{
	return world_is_pae(world) ? RAM_LOW_PAGES : RAM_PAGES;
}

/* world_guest.c: the guest's side by number. */
unsigned int world_root(const struct world *world, unsigned int number);
const struct ref_mode *world_mode(const struct world *world, unsigned int root);
/* The tables of a root. */
struct guest_tables world_tables(const struct world *world, unsigned int root);
uint64_t world_address(const struct world *world, unsigned int root, const struct op *op);
/* The tables that the operation edits. */
struct entries world_entries(struct world *world, const struct op *op);
uint64_t world_frame(const struct world *world, unsigned int value, unsigned int shift);

/* world.c: the processor enters its L2, which has run since the last flush; leaves it. */
void world_enter_l2(struct world *world, unsigned int cpu);
void world_leave_l2(struct world *world, unsigned int cpu);

/* world_memory.c: who writes guest memory, and what tells mmu/ of it. */

/* An edit by L1, or by L2 where it may; some edits cannot be while mmu/ is at work. */
void world_write(struct world *world, const struct op *op, uint64_t gpa, unsigned int size,
                 uint64_t value);
/* What the processors that run L1 may cache of NPT01 at this moment they have cached from now on.
 */
void world_l1_runs(struct world *world);
/* NPT01's translation of a gpa on a processor, filled if it was missing. */
struct host_result world_reach(struct world *world, unsigned int cpu, uint64_t gpa);
/* L2 may write by this translation until it is flushed. */
void world_l2_may_write(struct world *world, unsigned int cpu, unsigned int asid,
                        const struct host_result *seen);

/* world_check.c: what may be seen. */

/* May the processor have this translation of the address under the root now? */
void world_check_translation(struct world *world, unsigned int cpu, unsigned int asid,
                             unsigned int root, uint64_t address, const struct host_result *seen);
/* The same for all addresses, of all processors; and all invariants. */
void world_check_all(struct world *world);
/* Is it what the tables say now, and does it allow the access? */
void world_check_current(struct world *world, unsigned int root, uint64_t address,
                         struct ref_access access, const struct host_result *seen);
/* Remembers the tables of a walk; starts walks from those remembered, and checks where they end. */
void world_remember(struct world *world, unsigned int cpu, unsigned int asid, unsigned int root,
                    uint64_t address, const struct host_result *seen);
void world_check_points(struct world *world, unsigned int cpu, unsigned int asid, unsigned int root,
                        uint64_t address);
/* The processor flushes. */
void world_forget(struct world *world, unsigned int cpu, unsigned int asid);
void world_forget_all(struct world *world);
/* The processor flushes L1's own ASID. */
void world_forget_l1(struct world *world, unsigned int cpu);
void world_check_direct(struct world *world, uint64_t gpa, const struct host_result *seen);

#endif
