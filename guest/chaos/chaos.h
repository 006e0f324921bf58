/*
 * The image `chaos`: an L1 that means harm. VMRUNs of random VMCB12s on random nested tables; every
 * run follows from seed= and its number. Relies on guest/lib.
 *
 * L1 must not destroy itself, which it could on a bare machine, too: no table of its leads to L1's
 * own memory, and every run ends. What is left out for that, and for the emulators' sake, is in
 * bounds.c, each with its reason.
 */
#ifndef GUEST_CHAOS_H
#define GUEST_CHAOS_H

#include "guest/lib/guest.h"

/* Reproducible random numbers; one state for each processor. */
struct dice {
	uint32_t a, b;
};

void dice_seed(struct dice *dice, uint32_t seed, uint32_t number);
uint32_t dice_roll(struct dice *dice);
uint64_t dice_roll64(struct dice *dice);
uint32_t dice_below(struct dice *dice, uint32_t n); /* less than n */
static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
	return !dice_below(dice, n);
}

/* memory.c: the arena, all of whose pages may be written by anybody, is one largest page. */
enum {
	ARENA_BYTES = 4 << 20,
	TABLE_PAGES = 64, /* from its start: random tables */
	DATA_PAGES = 16,
	MAP_PAGES = 8, /* random permission maps */
	BLOCKS = 4,    /* VMCBs */
	HSAVES = 2,
	KEPT_BYTES = 0x8000, /* of each L2's low memory, to be put back */
};

struct arena {
	uint64_t start, tables, data, maps, blocks, kept, end;
	uint64_t ones, hsaves; /* not in it: a map of ones; pages for VM_HSAVE_PA */
};

extern struct arena arena;

/*
 * May tables lead to devices and ROM? Without nested tables QEMU's walker hangs when it sets A bits
 * in such a table, so half of the groups of runs are for the one, and half for the other.
 */
extern bool memory_devices;

void memory_init(void);

/* A gpa: in the arena, or at one of the places without memory. */
uint64_t memory_address(struct dice *dice);

/* A page that VMSAVE and #VMEXIT may write, on this machine. */
uint64_t memory_writable_page(struct dice *dice);

/* Is there memory of L1's? Elsewhere what is read is for whoever is below L1 to say. */
bool memory_is_ram(uint64_t gpa);

/* Is this page in the arena, or no memory of L1's at all? */
bool memory_is_harmless(uint64_t gpa);

/* The address with another page in it, if the page was L1's own. */
uint64_t memory_tame_address(uint64_t gpa);

/* The entry, or one near it by which nobody can reach L1's own memory, whatever format it is read
 * in. */
uint64_t memory_tame_entry(uint64_t entry);

/* tables.c */
uint64_t tables_entry(struct dice *dice);
void tables_fill(struct dice *dice);     /* all of them, and the maps */
void tables_edit(struct dice *dice);     /* one entry of one */
uint64_t tables_root(struct dice *dice); /* one of them, or what is none */

/* fields.c: a field of the VMCB, and what is tried in it. */
struct field {
	const char *name;
	uint16_t offset;
	uint8_t bytes;
	uint8_t count;
	const uint64_t *values; /* NULL: addresses */
};

extern const struct field fields[];
extern const unsigned int field_count;

uint64_t field_get(const struct vmcb *vmcb, const struct field *field);
void field_set(struct vmcb *vmcb, const struct field *field, uint64_t value);

/* A new value for the field: one of its own, or the old one with some bits changed. */
uint64_t field_pick(struct dice *dice, const struct field *field);
uint64_t field_flip(struct dice *dice, const struct field *field, uint64_t value);

/* Those of an entry in the save area begin there. */
static inline bool field_is_state(const struct field *field)
{
	return field->offset >= offsetof(struct vmcb, save);
}

/* bounds.c: what kind of run it is, and what that asks of a field. */
struct manner {
	bool nested;   /* L2 runs on nested tables, not on shadow tables */
	bool tight;    /* every exception ends it, and what it executes is known to end */
	bool wild;     /* it executes anything */
	uint64_t root; /* of the tables of L2's own kind, which lead to its memory only */
};

/* The value, or the next one that the run may have. */
uint64_t bounds_of(const struct manner *manner, const struct field *field, uint64_t value);

/* ... for all fields, and for what several of them say together. */
void bounds_apply(const struct manner *manner, struct vmcb *vmcb);

/* valid.c: does VMRUN enter with this? By the manual and CPUID, apart from what runs below. */
enum verdict { VALID, INVALID, UNDECIDED };

struct judgement {
	enum verdict verdict;
	const char *rule; /* the one that fails, or what the manual leaves open */
};

void valid_init(void);
struct judgement judge(const struct vmcb *vmcb);

/* code.c: what L2 executes. */
void code_keep(const struct l2 *l2);    /* a new L2: its code, tables of segments and interrupts */
void code_restore(const struct l2 *l2); /* puts them back */
void code_known(struct dice *dice, struct l2 *l2, struct vmcb *vmcb, bool tight);
void code_wild(struct dice *dice, struct l2 *l2, struct vmcb *vmcb);

/* run.c */
struct chaos {
	uint32_t seed, first, runs;
	bool race; /* another processor writes VMCBs and tables meanwhile */
	bool trace;
};

enum { RUN_COUNTS = 400000 }; /* of the timer, which ends a run */

extern struct chaos chaos;
extern struct vmcb *volatile run_target; /* the VMCB12 of the run */
extern struct manner run_manner;
extern struct vmcb run_host; /* L1's own state, of what VMLOAD moves */

void run_all(void);

/* instructions.c: SVM's other instructions, anywhere. */
void instructions_try(struct dice *dice);

/* intact.c: L1's own state and memory. Prints what changed. */
void intact_init(void);
bool intact_state(void);
bool intact_memory(void);

/* race.c: what the other processors do. */
void race_begin(void);
void race_end(void);
extern volatile uint32_t race_edits;

#endif
