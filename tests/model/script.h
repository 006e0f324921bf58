/*
 * Scripts: a setting and a list of operations that drive mmu/ against the model. The random test,
 * the fuzzer and the shrinking of failures all speak in scripts. Relies on nothing.
 */
#ifndef TESTS_MODEL_SCRIPT_H
#define TESTS_MODEL_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

enum op_kind {
	OP_ACCESS,     /* of the guest on a CPU; faults are handled */
	OP_REFAULT,    /* a fault that the tables already allow */
	OP_LOAD,       /* VMRUN: root, ASID */
	OP_EDIT,       /* of a guest's entry */
	OP_MEND,       /* makes an address lead somewhere */
	OP_FLUSH,      /* of an ASID on a CPU */
	OP_FLUSH_ALL,  /* of all ASIDs on a CPU */
	OP_RACE,       /* an edit that happens amid the next fault */
	OP_DIRECT,     /* an access of L1 through NPT01 */
	OP_DROP_LARGE, /* memory types changed */
	OP_RECLAIM,
	OP_WATCH,   /* a frame, or no longer */
	OP_WATCHED, /* was it written? */
	OP_CHECK,   /* invariants and all translations */
	OP_KINDS
};

/* Fields are taken modulo what there is, so that any bytes are a script. */
struct op {
	uint8_t kind, cpu, asid, root, address, level, how, value;
};

struct setting {
	uint8_t formats, flags_a, flags_b, phys_bits, host, pool, cpus, map;
};

_Static_assert(sizeof(struct op) == 8 && sizeof(struct setting) == 8, "a fuzzer's bytes");

enum { SCRIPT_MAX = 4000 };

struct script {
	struct setting setting;
	uint32_t count;
	struct op op[SCRIPT_MAX];
};

/* What gives the bytes of a script their meaning. */
struct script_model {
	/* Returns 0, or -1 with what went wrong, and at which operation, in message. */
	int (*run)(const struct script *script, char *message, size_t size);
	/* Makes a script from a seed. */
	void (*make)(struct script *script, uint64_t seed, uint32_t count);
	void (*print)(const struct script *script);
};

/* Guests under nested paging, in world.c; guests with their own paging, in own_script.c. */
extern const struct script_model nested_model, own_model;

/* make() and print() of nested_model. */
void script_random(struct script *script, uint64_t seed, uint32_t count);
void script_print(const struct script *script);

/* Drops operations for as long as fails() says that the rest still fails. */
void script_shrink(struct script *script, int (*fails)(const struct script *script));

#endif
