/*
 * mmu/ on the bench: guest memory, a pool, processors and an L1 address space that is no identity,
 * so that a gpa taken for an hpa shows. Relies on mmu/mmu.h and the walkers of tests/model/.
 */
#ifndef TESTS_MODEL_RIG_H
#define TESTS_MODEL_RIG_H

#include "mmu/track.h"
#include "tests/model/host_walk.h"
#include "tests/model/ram.h"
#include "tests/model/ref_walk.h"

enum { RIG_CPUS = 3, RIG_HOT = 4 };

#define RIG_TABLES_HPA 0x10000000ull
/* Where a frame leads that L1 does not own. */
#define RIG_NOBODY 0x0ffff000ull
/* What tells an hpa from a gpa. */
#define RIG_HPA_BIT (1ull << 46)

struct rig {
	struct ram ram;
	struct mmu mmu;
	struct mmu_cpu cpu[RIG_CPUS];
	struct host_tables host;
	void *tables, *metadata, *tracking;
	uint64_t hpa_bit; /* RIG_HPA_BIT, or 0: L1's memory is where it believes */
	unsigned int flushes, kicks, asked;
	unsigned int next_page; /* of guest memory, for rig_put() */
	uint64_t read_only;     /* gpa of a page that L0 keeps read-only; 0: none */
	bool hidden;            /* ... and from reads, too */
	bool typed;             /* the memory from typed_from on has this type */
	uint8_t type;
	uint64_t typed_from;
	int hole_level; /* where L0 allows no larger page although frames are in a row; 0: nowhere
	                 */
	void (*on_page)(struct rig *rig, uint64_t gpa);    /* before mmu/ reads an entry */
	void (*on_written)(struct rig *rig, uint64_t gpa); /* before it writes one */
	void (*on_map)(struct rig *rig, uint64_t gpa);     /* before it asks where a page is */
	void (*on_flush)(struct rig *rig);
	void (*on_changed)(struct rig *rig, uint64_t gpa); /* a watched frame */
	void (*on_opens)(struct rig *rig, uint64_t gpa);   /* another one, to be written unseen */
	void (*on_kick)(struct rig *rig, unsigned int cpu);
	void *context;
};

struct rig *rig_new(int host_levels, bool host_1g, uint32_t pages);
void rig_free(struct rig *rig);

/* Begins to track frames; L1's gpas are hpas then. */
void rig_track(struct rig *rig);

/*
 * L1's address space: of every four GiB one has pages of 4 KiB (odd 2 MiB ranges) and 2 MiB, the
 * others of 1 GiB; where they have 4 KiB every eighth page is not L1's.
 */
struct host_mapping rig_map(uint64_t gpa);

/* Where a gpa leads in this rig. */
uint64_t rig_hpa(const struct rig *rig, uint64_t gpa);

struct guest_tables rig_guest(enum pt_format_id id, uint32_t flags, uint8_t phys_bits,
                              uint64_t root);

/* Two page attribute tables of guests', and what L0's own says: PAT index to memory type. */
extern const uint64_t rig_pats[2];
extern const uint8_t rig_host_types[8];

/* A mode by numbers, each taken modulo what there is on this rig. */
void rig_mode(const struct rig *rig, struct paging_mode *mode, unsigned int format, uint32_t flags,
              unsigned int phys_bits);

/* The same mode for the reference walker. */
struct ref_mode rig_ref_mode(const struct paging_mode *mode);

/* The first free page of guest memory. */
uint64_t rig_new_table(struct rig *rig);

/* The gpa of the guest's entry for address at a level; missing tables above it are made. */
uint64_t rig_entry(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level);

/* Writes that entry. */
void rig_put(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level,
             uint64_t entry);

/* Reads it. */
uint64_t rig_get(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level);

/* The walk of the tables at root by the processor; what it would find, without its traces. */
struct host_result rig_walk(struct rig *rig, uint64_t root, uint64_t address);
struct host_result rig_look(struct rig *rig, uint64_t root, uint64_t address);

enum { RIG_FAULTS = 8, RIG_OK = 0, RIG_ENDLESS = 100 };

/*
 * An access of the guest that runs on cpu with the tables: faults are given to mmu/ until the
 * processor's walk succeeds. Returns RIG_OK, the reflected code + 1000, or RIG_ENDLESS.
 */
int rig_access(struct rig *rig, unsigned int cpu, const struct guest_tables *tables,
               uint64_t address, uint32_t access);

#endif
