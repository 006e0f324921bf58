/*
 * Scripts: a setting and a list of operations that drive mmu/ against the model. The random test,
 * the fuzzer and the shrinking of failures all speak in scripts. Relies on nothing.
 */
#ifndef TESTS_MODEL_SCRIPT_H
#define TESTS_MODEL_SCRIPT_H

#include <setjmp.h>
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
	/* What none of the scripts so far has come to, NULL: nothing. May be NULL. */
	const char *(*missed)(void);
};

/* A run that may fail anywhere. */
struct script_run {
	jmp_buf failed;
	char *message;
	size_t size;
};

/* Ends the run with what went wrong. */
_Noreturn void script_fail(struct script_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How scripts are made and printed. */
struct script_style {
	const char *const *names; /* of the kinds of operations */
	const uint8_t *weights;   /* how often each kind comes, on the average */
	unsigned int kinds, first_optional;
	const uint8_t *roots; /* 8 numbers of roots, one of which a script uses */
};

void script_make_as(const struct script_style *style, struct script *script, uint64_t seed,
                    uint32_t count);
void script_print_as(const struct script_style *style, const struct script *script);

/* Guests under nested paging, in world.c; guests with their own paging, in own_script.c. */
extern const struct script_model nested_model, own_model;

/* make() and print() of nested_model. */
void script_random(struct script *script, uint64_t seed, uint32_t count);
void script_print(const struct script *script);

/* Drops operations for as long as fails() says that the rest still fails. */
void script_shrink(struct script *script, int (*fails)(const struct script *script));

#endif
