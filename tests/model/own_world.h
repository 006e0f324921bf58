/*
 * What a script runs in where there is no nested paging: mmu/ on the bench, processors whose TLBs
 * keep all that they ever could have seen, and guests whose stores go through these, on other
 * processors also amid the work of mmu/. Relies on tests/model/own_rig.h, own_history.h and
 * script.h.
 */
#ifndef TESTS_MODEL_OWN_WORLD_H
#define TESTS_MODEL_OWN_WORLD_H

#include "tests/model/entries.h"
#include "tests/model/own_history.h"
#include "tests/model/own_rig.h"
#include "tests/model/watch.h"

/* Tables of a guest: a root and one of four modes; the last one is CR0.PG=0. */
enum { OWN_MODES = 4, OWN_ROOTS = 8, OWN_DIRECT = OWN_MODES * OWN_ROOTS, OWN_SPACES };
/* ASID 0 is L1's, the others L2s'. */
enum { OWN_ASIDS = 3, OWN_ADDRESSES = 256, OWN_WAYS = 4, OWN_POINTS = 128 };

enum own_op {
	OWN_OP_ACCESS,  /* faults are handled */
	OWN_OP_REFAULT, /* a fault that the tables already allow */
	OWN_OP_LOAD,    /* MOV CR3, VMRUN, #VMEXIT, other modes */
	OWN_OP_EDIT,    /* of a guest's entry, by a store */
	OWN_OP_MEND,    /* makes an address lead somewhere, by stores */
	OWN_OP_FLUSH,   /* of an ASID */
	OWN_OP_FLUSH_ALL,
	OWN_OP_INVLPG,
	OWN_OP_DROP_LARGE, /* memory types changed */
	OWN_OP_RECLAIM,
	OWN_OP_WATCH,   /* a frame, or no longer */
	OWN_OP_WATCHED, /* was it written? */
	OWN_OP_RACE,    /* an edit by a processor, amid what L0 does for another one */
	OWN_OP_CHECK,   /* invariants, and all that the processors could see */
	OWN_OP_KINDS
};

/* An entry of the processor's TLB. */
struct own_cached {
	struct own_seen seen;
	unsigned int space;
};

struct own_asid {
	unsigned int space;
	bool running; /* has loaded a root since the last flush */
	struct guest_tables tables;
	uint64_t pdptes[4];
	struct {
		bool valid;
		struct own_tables tables;
		struct own_epochs epochs;
		struct own_dropped dropped[OWN_ADDRESSES];
	} used[OWN_SPACES];
	/* One is open while the ASID runs on these tables, in either of two modes that read them
	 * alike. */
	struct windows windows[OWN_SPACES / 2 + 1];
	uint8_t cached[OWN_ADDRESSES];                  /* entries of the TLB for an address */
	struct own_cached tlb[OWN_ADDRESSES][OWN_WAYS]; /* the stalest first */
};

struct own_cached_point {
	struct own_point point; /* hpa 0: none */
	uint64_t address;
	unsigned int asid, space;
};

struct own_cpu {
	struct mmu_cpu *mmu;
	struct own_asid asid[OWN_ASIDS];
	unsigned int now; /* the ASID that runs */
	uint64_t root;    /* hpa in CR3 */
	struct own_cached_point point[OWN_POINTS];
	unsigned int points; /* ever stored: the place is modulo OWN_POINTS */
};

struct own_world {
	struct rig *rig;
	struct guest_tables tables[OWN_MODES];
	struct ref_mode mode[OWN_MODES];
	uint64_t pat[OWN_MODES];
	unsigned int cpus;
	struct own_cpu cpu[RIG_CPUS];
	struct watched_pages watched;

	struct own_cpu *in_l0; /* has the lock and is at work in mmu/; NULL: none is */
	bool pending;          /* race, which happens after countdown looks of mmu/ at the world */
	struct op race;
	unsigned int countdown;
	bool amid;  /* an edit of another processor's happens now */
	bool raced; /* one has happened since in_l0 was set, and wrote */
	size_t raced_at;

	struct script_run run;
};

static inline struct windows *own_windows(struct own_asid *at, unsigned int space)
{
	return &at->windows[space / 2];
}

/* What runs on the processor. */
static inline struct own_asid *own_running(struct own_cpu *cpu)
{
	return &cpu->asid[cpu->now];
}

/* Ends the run. */
#define own_fail(world, ...) script_fail(&(world)->run, __VA_ARGS__)

/* own_guest.c: guests' addresses and tables by number. */
uint64_t own_address(unsigned int space, unsigned int number);
/* How many addresses differ in this space. */
unsigned int own_addresses(const struct own_world *world, unsigned int space);
const struct ref_mode *own_mode(const struct own_world *world, unsigned int space);
struct guest_tables own_tables_of(const struct own_world *world, unsigned int space);
/* The tables that the operation edits. */
struct entries own_entries(struct own_world *world, const struct op *op);

/* own_ops.c */
void own_op(struct own_world *world, const struct op *op);

/* own_run.c */
struct own_cpu *own_cpu_of(struct own_world *world, const struct op *op);
void own_load(struct own_world *world, struct own_cpu *cpu, unsigned int asid, unsigned int space,
              bool flush);
void own_flush(struct own_cpu *cpu, unsigned int asid);
/* An access to an address (low bits count) under the current root; returns the gpa, ~0: #PF. */
uint64_t own_do_access(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                       struct ref_access access);
/*
 * A store of 4 or 8 bytes to guest memory by whatever way the script's guest has. Amid the work of
 * mmu/ only other processors do so, and only where it takes no fault.
 */
void own_store(struct own_world *world, const struct op *op, uint64_t gpa, unsigned int size,
               uint64_t value);

/* Lets the operation's processor write the entry that it edits, so that no fault is left to take.
 */
void own_warm_up(struct own_world *world, const struct op *op);

/* own_race.c: what the others do while one processor is at work in mmu/. */

/* Around each call of mmu/ that takes the lock. */
void own_enter_l0(struct own_world *world, struct own_cpu *cpu);
void own_leave_l0(struct own_world *world);
/* Makes the rig call back. */
void own_hook(struct own_world *world);

/* own_tlb.c: what a processor has. */

/* What the processor sees in the tables of its root now. */
struct own_seen own_see(const struct own_world *world, struct own_cpu *cpu, uint64_t address);
/* It could see all that the root offers, and by its paging-structure caches; checks that. */
void own_observe(struct own_world *world, struct own_cpu *cpu);
/* May it see this now? Ends the run if not. strict: it is to be what the tables say now. */
void own_check(struct own_world *world, struct own_cpu *cpu, unsigned int asid, unsigned int space,
               uint64_t address, const struct own_seen *seen, bool strict);
/* The stalest cached translation that lets the access pass; or false. */
bool own_lookup(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                struct ref_access access, struct own_seen *seen);
void own_remember(struct own_cpu *cpu, uint64_t address, const struct own_seen *seen);
/* Flushes: everything; an ASID; INVLPG under the current one; what a fault drops. */
void own_forget_all(struct own_cpu *cpu);
void own_forget(struct own_cpu *cpu, unsigned int asid);
void own_forget_page(struct own_cpu *cpu, uint64_t address);
void own_forget_points(struct own_cpu *cpu, uint64_t address);
/* Invariants, and all that is cached, again. */
void own_check_all(struct own_world *world);

#endif
