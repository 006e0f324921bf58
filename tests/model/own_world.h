/*
 * What a script runs in where there is no nested paging: mmu/ on the bench, a processor whose TLB
 * keeps all that it ever could have seen, and guests whose stores go through it. Relies on
 * tests/model/own_rig.h, own_history.h and script.h.
 */
#ifndef TESTS_MODEL_OWN_WORLD_H
#define TESTS_MODEL_OWN_WORLD_H

#include "tests/model/own_history.h"
#include "tests/model/own_rig.h"
#include "tests/model/script.h"

#include <setjmp.h>

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
	OWN_OP_CHECK,   /* invariants, and all that the processor could see */
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
	struct {
		unsigned int count;
		struct own_cached entry[OWN_WAYS]; /* the stalest first */
	} tlb[OWN_ADDRESSES];
};

struct own_cached_point {
	struct own_point point; /* hpa 0: none */
	uint64_t address;
	unsigned int asid, space;
};

struct own_world {
	struct rig *rig;
	struct mmu_cpu *cpu;
	struct guest_tables tables[OWN_MODES];
	struct ref_mode mode[OWN_MODES];
	uint64_t pat[OWN_MODES];
	struct own_asid asid[OWN_ASIDS];
	unsigned int now; /* the ASID that runs */
	uint64_t root;    /* hpa in CR3 */
	struct own_cached_point point[OWN_POINTS];
	unsigned int points; /* ever stored: the place is modulo OWN_POINTS */
	unsigned int stores; /* that L1's or L2's own tables let pass */
	struct {
		bool on;
		size_t since; /* when mmu/ last told of a write, or was asked */
	} watch[RAM_PAGES];
	jmp_buf failed;
	char *message;
	size_t message_size;
};

_Noreturn void own_fail(struct own_world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* own_guest.c: guests' tables by number. */
uint64_t own_address(unsigned int number);
/* How many addresses differ in this space. */
unsigned int own_addresses(const struct own_world *world, unsigned int space);
const struct ref_mode *own_mode(const struct own_world *world, unsigned int space);
struct guest_tables own_tables_of(const struct own_world *world, unsigned int space);
void own_edit(struct own_world *world, const struct op *op);
void own_mend(struct own_world *world, const struct op *op);

/* own_run.c */
void own_load(struct own_world *world, unsigned int asid, unsigned int space, bool flush);
void own_flush(struct own_world *world, unsigned int asid);
/* An access to an address (low bits count) under the current root; returns the gpa, ~0: #PF. */
uint64_t own_do_access(struct own_world *world, uint64_t address, struct ref_access access);
/* A store of 4 or 8 bytes to guest memory by whatever way the script's guest has. */
void own_store(struct own_world *world, const struct op *op, uint64_t gpa, unsigned int size,
               uint64_t value);

/* own_tlb.c: what the processor has. */

/* It could see all that the root offers, and by its paging-structure caches; checks that. */
void own_observe(struct own_world *world);
/* May it see this now? Ends the run if not. strict: it is to be what the tables say now. */
void own_check(struct own_world *world, unsigned int asid, unsigned int space, uint64_t address,
               const struct own_seen *seen, bool strict);
/* The stalest cached translation that lets the access pass; or false. */
bool own_lookup(struct own_world *world, uint64_t address, struct ref_access access,
                struct own_seen *seen);
void own_remember(struct own_world *world, uint64_t address, const struct own_seen *seen);
/* Flushes: everything; an ASID; INVLPG under the current one; what a fault drops. */
void own_forget_all(struct own_world *world);
void own_forget(struct own_world *world, unsigned int asid);
void own_forget_page(struct own_world *world, uint64_t address);
void own_forget_points(struct own_world *world, uint64_t address);
/* Invariants, and all that is cached, again. */
void own_check_all(struct own_world *world);

#endif
