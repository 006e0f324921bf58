/*
 * What a processor may have cached of a guest's own tables, and what it does with them now: the
 * reference of tests/model/ref_walk.h with PDPTEs in registers and with paging off, over the
 * journal of guest memory. Relies on tests/model/history.h.
 */
#ifndef TESTS_MODEL_OWN_HISTORY_H
#define TESTS_MODEL_OWN_HISTORY_H

#include "tests/model/history.h"

enum { OWN_LOADS = 24, OWN_EPOCHS = 48, OWN_SHIFTS = 4 };

/* Tables of a guest's, and when the processor loaded PDPTEs from them since it flushed. */
struct own_tables {
	bool direct; /* CR0.PG=0 */
	struct ref_mode mode;
	uint64_t cr3;
	unsigned int loads;
	size_t load[OWN_LOADS]; /* moments; the first one: nothing is cached from before */
};

/*
 * Walks from [begin, end], as far as the tables were in use then: entries read no earlier than the
 * one above, as paging-structure caches may hold the upper ones. An INVLPG empties those, and so
 * begins another epoch.
 */
struct own_epochs {
	unsigned int count;
	size_t begin[OWN_EPOCHS];
	unsigned int load[OWN_EPOCHS]; /* the PDPTEs of then */
};

/* When INVLPG ended what was cached of the page that an address is in, by size of the page. */
struct own_dropped {
	size_t at[OWN_SHIFTS];
};

/* All accesses that differ: users' and supervisors', the latter with AC=0 and AC=1. */
enum { OWN_ACCESSES = 9 };
struct ref_access own_access(unsigned int number);

struct own_question {
	struct ram *ram;
	const struct own_tables *tables;
	const struct ref_mode *mode;       /* in which the processor is; NULL: CR0.PG=0 */
	const struct own_epochs *epochs;   /* NULL: only what holds now */
	const struct windows *windows;     /* when the processor ran on the tables */
	const struct own_dropped *dropped; /* NULL: nothing */
	uint64_t address;
	uint64_t gpa;      /* of the page that the address is seen to lead to */
	unsigned int type; /* of memory */
	uint64_t pat;      /* the guest's */
	uint32_t allowed;  /* accesses that are seen to pass, a bit each */
};

/* Can cached translations to this page explain that all these accesses pass? */
bool own_may_have(const struct own_question *question);

/* The walk by the processor as memory and PDPTEs stand; nothing is written. */
struct ref_result own_ref_walk(struct ram *ram, const struct own_tables *tables, uint64_t address,
                               struct ref_access access);

/* Could a walk for this access, begun since then, have ended in a fault with this code? */
bool own_may_fault(struct ram *ram, const struct own_tables *tables, uint64_t address,
                   struct ref_access access, uint32_t code, size_t since);

/* Sizes of the guest's pages, as shifts: what own_dropped counts by. */
extern const unsigned int own_shifts[OWN_SHIFTS];

#endif
