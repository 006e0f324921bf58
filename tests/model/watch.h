/*
 * Frames of guest memory that mmu/ watches: no write may go untold. Relies on tests/model/rig.h.
 */
#ifndef TESTS_MODEL_WATCH_H
#define TESTS_MODEL_WATCH_H

#include "tests/model/rig.h"

struct watched_pages {
	struct {
		bool on;
		size_t since; /* when mmu/ last told of a write, or began */
		bool marked;  /* ... and has told of none since there were marks */
		struct watch_marks marks;
	} page[RAM_PAGES];
	uint64_t held; /* times that marks said that nothing was written */
};

/* Begins to watch a page of guest memory, or no longer does. */
void watch_toggle(struct watched_pages *watched, struct rig *rig, struct mmu_cpu *cpu,
                  unsigned int page);
/* mmu/ tells that the page at gpa was written: it is read now. */
void watch_told(struct watched_pages *watched, struct rig *rig, uint64_t gpa);
/* ... or that it will be, without a word. */
void watch_opens(struct watched_pages *watched, uint64_t gpa);
/*
 * Asks mmu/ whether this page, or the next one that is watched, was written. False when it was, and
 * nothing has told.
 */
bool watch_holds(struct watched_pages *watched, struct rig *rig, struct mmu_cpu *cpu,
                 unsigned int page);

#endif
