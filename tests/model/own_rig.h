/*
 * mmu/ on the bench without nested paging: the processor walks shadow pages for the guest's own
 * CR3, with U/S, CR0.WP=1, EFER.NXE=1 and the guest's SMEP and SMAP. Relies on tests/model/rig.h.
 */
#ifndef TESTS_MODEL_OWN_RIG_H
#define TESTS_MODEL_OWN_RIG_H

#include "mmu/protect.h"
#include "tests/model/rig.h"

/* L0 has host_levels; a pool of so many pages. L1's gpas are hpas. */
struct rig *own_rig_new(int host_levels, bool host_1g, uint32_t pages);

/* A guest's own tables; root is a CR3. Of PAE the PDPTEs come from memory unless mode says. */
struct guest_tables own_guest(enum pt_format_id id, uint32_t flags, uint8_t phys_bits,
                              uint64_t cr3);
/* CR0.PG=0. */
struct guest_tables own_direct(void);

/* MOV CR3 with PAE tables: the four PDPTEs as they stand in memory. */
void own_load_pdptes(struct rig *rig, struct guest_tables *tables, uint64_t pdptes[4]);

enum own_status { OWN_OK, OWN_MISSING, OWN_BROKEN };

/* A table that a walk came to: a processor may keep this and start here next time. */
struct own_point {
	int level;
	uint64_t hpa;
	bool write, user, execute; /* of the entries above */
};

/* What the processor finds in shadow pages. OWN_BROKEN: reserved bits, or a table that is none. */
struct own_seen {
	enum own_status status;
	uint64_t hpa;
	bool write, user, execute;
	unsigned int pat;
	int level; /* of the leaf */
	uint64_t *leaf;
	unsigned int points;
	struct own_point point[5];
};

/* Where walks of a root begin; levels 3: a page of PDPTEs, which the processor loads with CR3. */
struct own_point own_start(uint64_t root, int levels);
struct own_seen own_walk(const struct rig *rig, struct own_point from, uint64_t address);
/* Levels of the tables that the processor walks for these. */
int own_levels(const struct guest_tables *tables);

/* Does the processor let the access pass? mode: the guest's SMEP and SMAP; NULL: CR0.PG=0. */
bool own_permits(const struct ref_mode *mode, const struct own_seen *seen,
                 struct ref_access access);

/* ACCESS_* for mmu_fault(). */
uint32_t own_access_flags(struct ref_access access);

/* What is wrong with the reverse map and the protection of frames; NULL: nothing. */
const char *own_broken_invariant(const struct rig *rig);
/* The same, and no list has more than it should; takes longer. */
const char *own_broken_list(const struct rig *rig);

#endif
