/*
 * What must always hold between the shadow pages, their tables, the reverse map, the hash, the
 * list by use and the pool. Relies on mmu/mmu.h for the structures.
 */
#ifndef TESTS_MODEL_INVARIANTS_H
#define TESTS_MODEL_INVARIANTS_H

#include "mmu/mmu.h"

/* Returns NULL, or what is wrong. */
const char *broken_invariant(const struct mmu *mmu, const struct mmu_cpu *cpus, unsigned int count);

#endif
