/*
 * The reference: a walk of x86 page tables written from the APM (vol. 2, sections 5.2, 5.3, 5.6,
 * 8.2.15 and 15.25), plainly and format by format. It shares nothing with mmu/, on purpose.
 */
#ifndef TESTS_MODEL_REF_WALK_H
#define TESTS_MODEL_REF_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ref_format { REF_2LEVEL, REF_PAE, REF_4LEVEL, REF_5LEVEL };

struct ref_mode {
	enum ref_format format;
	bool nx, pse, gigabyte_pages, nested, wp, smep, smap;
	bool pdpte_a; /* an emulator: bit 5 of PDPTEs is allowed */
	unsigned int phys_bits;
};

struct ref_access {
	bool write, user, fetch;
	bool ac; /* EFLAGS.AC, which lets SMAP pass */
};

/* Where a walk stands: about to read an entry, or at its end. */
struct ref_state {
	int level;
	uint64_t table;
	bool write, user, execute; /* of the entries so far */
};

enum ref_verdict { REF_TABLE, REF_PAGE, REF_FAULT };

struct ref_step {
	enum ref_verdict verdict;
	uint32_t why;          /* REF_FAULT: P and RSV of the code */
	uint64_t accessed;     /* the A bit where this level has one, else 0 */
	struct ref_state next; /* the table and rights with this entry counted */
	uint64_t gpa;          /* REF_PAGE: of the address, low bits included */
	unsigned int pat;      /* REF_PAGE: index into the page attribute table */
};

unsigned int ref_entry_size(const struct ref_mode *mode);
struct ref_state ref_start(const struct ref_mode *mode, uint64_t cr3);
/* Is the address one that the format can translate? */
bool ref_in_range(const struct ref_mode *mode, uint64_t address);
/* The gpa of the entry that the walk reads next. */
uint64_t ref_entry_gpa(const struct ref_mode *mode, const struct ref_state *state,
                       uint64_t address);
/* What one entry says. Rights are not looked at. */
struct ref_step ref_look(const struct ref_mode *mode, const struct ref_state *state,
                         uint64_t address, uint64_t entry);
/* Do the rights gathered allow the access? */
bool ref_allows(const struct ref_mode *mode, const struct ref_state *rights,
                struct ref_access access);
/* The whole error code of a fault. */
uint32_t ref_code(const struct ref_mode *mode, struct ref_access access, uint32_t why);

struct ref_result {
	bool fault;
	uint32_t code;
	uint64_t gpa;
	unsigned int pat;
	struct ref_state rights;
	unsigned int entries;
	struct {
		uint64_t gpa, value, set; /* set: A and D bits that the processor writes */
	} entry[5];
};

/* A whole walk of memory as it stands; nothing is written. */
struct ref_result ref_walk(const struct ref_mode *mode, uint64_t cr3, uint64_t address,
                           struct ref_access access,
                           uint64_t (*read)(void *context, uint64_t gpa, unsigned int size),
                           void *context);

#endif
