/*
 * What the image `stress` does to a hypervisor under it: more roots, tables and pages than can be
 * shadowed at once, and tables, maps and VMCBs where none can be. Relies on guest/lib.
 */
#ifndef GUEST_STRESS_H
#define GUEST_STRESS_H

#include "guest/lib/guest.h"

#define STRESS_FAR 0x40000000u /* ngpas from here on are the tests' own */

/* How much is done: rounds= of the command line, by default 65536. */
extern unsigned int stress_rounds;

/* Reproducible random numbers; below(n) is less than n. */
uint32_t stress_random(void);
uint32_t stress_below(uint32_t n);

/* Finds the largest free memory below 4 GiB; ends the run as skipped if there is too little. */
void stress_memory_init(void);

/* Where it begins and ends: what pages were not taken yet. */
uint64_t stress_free_start(void);
uint64_t stress_free_end(void);

/* Takes pages, cleared; all that were taken since a mark are given back by stress_release(mark). */
uint64_t stress_pages(unsigned int count);
void stress_release(uint64_t mark);

/* The end of the highest usable memory below 4 GiB. */
uint64_t stress_top(void);

/* Nested tables in pages of their own, that have L2's low memory already; and their use. */
void stress_tree(struct pt *tree, const struct l2 *l2, unsigned int pages);
void stress_use(struct l2 *l2, const struct pt *tree);

/* The word that is at this address as L1 sees it. */
static inline volatile uint32_t *stress_word(uint64_t gpa)
{
	return (volatile uint32_t *)(uintptr_t)gpa;
}

void stress_own(void);        /* L1's own tables */
void stress_roots(void);      /* many nCR3 in a row */
void stress_all_memory(void); /* all memory in small pages, several times over */
void stress_shared(void);     /* one table under many parents, tables under themselves */
void stress_reserved(void);   /* every reserved bit of every level */
void stress_alternate(void);  /* several L2s, edits and flushes at random */
void stress_places(void);     /* tables, pages, VMCBs and maps where there is no memory */

#endif
