/*
 * Addresses and entries of guests' tables as scripts name, make and edit them, whoever walks the
 * tables. Relies on tests/model/ram.h, ref_walk.h and script.h.
 */
#ifndef TESTS_MODEL_ENTRIES_H
#define TESTS_MODEL_ENTRIES_H

#include "tests/model/ram.h"
#include "tests/model/ref_walk.h"
#include "tests/model/script.h"

/* The tables of a root that a script edits, and how its guests do it. */
struct entries {
	struct ram *ram;
	const struct ref_mode *mode;
	uint64_t cr3;
	uint64_t other;         /* another root of this mode, from which entries are copied */
	const uint64_t *frames; /* 8 ranges of memory that entries map */
	const uint8_t *flags;   /* 8 numbers of bits, those that guests change most */
	void (*store)(void *world, const struct op *op, uint64_t gpa, unsigned int size,
	              uint64_t value);
	void *world;
};

/* Two bits of the number choose the index at levels 1 to 3, one at 4 and 5. */
uint64_t entries_address(unsigned int number);
/* A page in one of the ranges, of the size 1 << shift. */
uint64_t entries_frame(const struct ref_mode *mode, const uint64_t *frames, unsigned int value,
                       unsigned int shift);

/* The gpa of the entry of the operation's level for its address, or of the last one above it. */
uint64_t entries_find(const struct entries *entries, const struct op *op);
/* Edits that entry. */
void entries_edit(const struct entries *entries, const struct op *op);
/* Makes an address lead somewhere, whatever entries it takes. */
void entries_mend(const struct entries *entries, const struct op *op);

#endif
