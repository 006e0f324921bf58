/*
 * L1's memory as L0 sees it: which gpas are memory that L1 owns, and how a gpa may be mapped.
 * Relies on hv/phys.h.
 */
#ifndef SVM_MEMORY_L1_MEMORY_H
#define SVM_MEMORY_L1_MEMORY_H

#include "hv/iommu.h"
#include "mmu/mmu.h"

struct l1_memory_range {
	uint64_t base, end; /* gpa, page aligned */
};

/* L0's own memory has two pieces at most, each of which may cut a range in two. */
enum { L1_OWN_PIECES = 2, L1_MAX_RANGES = 512 + L1_OWN_PIECES };

/* And the registers of IOMMUs. */
enum { L1_HIDDEN = L1_OWN_PIECES + IOMMU_UNITS_MAX };

/* Hides what is L0's, hpa, of which there are L1_HIDDEN pieces at most: nothing of L1's may name
 * it. */
void l1_memory_hide(uint64_t base, uint64_t size);

/* Adds a range of memory that L1 owns; partial pages are left out. */
void l1_memory_add(uint64_t base, uint64_t size);

/*
 * Adds a range from which L1's code may run although it is no memory of L1's: a ROM, what firmware
 * keeps for itself. Never a device: a fetch would be a second one. All pages that it touches; the
 * window has them.
 */
void l1_code_add(uint64_t base, uint64_t size);

/* Ends the setting up: sorts the ranges so that the largest is looked at first. */
void l1_memory_ready(void);

/*
 * The page at a page-aligned gpa, or NULL where L1 has no memory (L0's memory, MMIO, nothing):
 * what is read there is all ones, what is written there vanishes.
 */
void *l1_page(void *context, uint64_t gpa);

/* The same for reading only what L1's code is and what leads to it: l1_code_add()'s, too. */
const void *l1_code_page(uint64_t gpa);

/* For struct mmu_ops: gpa to hpa and the largest page allowed. */
struct host_mapping l1_map(void *context, uint64_t gpa);

/* Does [gpa, gpa + size) touch L0's memory? */
bool l1_memory_hidden(uint64_t gpa, uint64_t size);

/* hpa of the page that stands for L0's memory. */
uint64_t l1_sink_hpa(void);

#endif
