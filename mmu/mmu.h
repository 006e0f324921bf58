/*
 * What the rest of L0 asks of mmu/: roots for the processor to walk, faults to be filled or
 * reflected, and word of L1's flushes. Relies on mmu/shadow.h.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "mmu/shadow.h"

/* A page attribute table as L0 programs it, so that all six memory types can be encoded. */
#define HOST_PAT 0x0007010500070406ull

/* The tables that L1 gave to its guest, as they are to be read. */
struct guest_tables {
	struct paging_mode mode;
	uint32_t pat;  /* packed by pack_pat(): L1's, through which leaves choose memory types */
	uint64_t root; /* gpa */
	bool direct;   /* the guest's paging is off: addresses are gpas, root is 0 */
};

/* PAT MSR to 8 types of 3 bits, the form in which it is part of a role. */
uint32_t pack_pat(uint64_t pat);

enum { MMU_CACHED_ROOTS = 16 };

/* A root that a processor used lately. It may have been reclaimed since: serial tells. */
struct cached_root {
	uint64_t gpa;
	union shadow_role role;
	struct shadow_page *page;
	uint64_t hpa; /* of its table */
	uint64_t serial;
	uint64_t used;
	uint32_t asid;
	uint64_t flush_all; /* of the processor, when the root was last synchronized, if L1 has not
	                       flushed asid here since */
	uint64_t seen;      /* mmu->changes: of what came later the ASID here knows nothing */
};

/*
 * The way to the page of level 1 in which a nested fault ended, as the next one mostly is beside
 * it. The page shadows the same table as long as root and mmu->unlinks are the same, and the
 * guest's entries above it say what they said: then only the leaf is left to do.
 */
struct way {
	struct shadow_page *page; /* NULL: none */
	struct shadow_page *root;
	uint64_t unlinks;
	uint64_t number; /* address >> shadow_shift(2) */
	uint64_t table;  /* the guest's of level 1: gpa; from the part that the page shadows on */
	char *at;        /* ... and where L0 sees it */
	uint64_t rights; /* of the entries above, as in struct walk */
	struct upper {   /* those entries: where L0 sees them, and what they said, with A */
		const void *at;
		uint64_t said;
	} upper[PT_MAX_LEVEL - 1], *end;
};

/* What each processor has of its own. */
struct mmu_cpu {
	struct cached_root roots[MMU_CACHED_ROOTS];
	struct cached_root *last;        /* used last; NULL: none */
	uint8_t place[MMU_CACHED_ROOTS]; /* of the root that had such a hash last */
	uint64_t clock;
	uint64_t flush_all;          /* counts L1's flushes of all ASIDs */
	struct shadow_page *direct;  /* NPT01's root */
	struct shadow_page *current; /* the root for L2 in use, pinned; NULL: none yet */
	struct shadow_page *giants;  /* pages of NPT01 with regions that have tracked frames */
	struct way way;              /* to the last nested fault */
	/*
	 * What ops->map() said of a page larger than 4 KiB without a type of its own, which begins
	 * at mapped_gpa, and when by mmu->maps. The offset makes a gpa there an hpa.
	 */
	uint64_t mapped_gpa, mapped_mask, mapped_at, mapped_offset;
	int mapped_level;
	struct mmu_cpu *next;
	/*
	 * NPT01 changed in a way that the processor may not have seen: whoever enters a guest that
	 * runs on NPT01 flushes its ASID first: mmu_direct_flushed(). Others set it at any time.
	 */
	bool flush_direct;
	bool flushes_all;   /* L1 has asked for a flush of all ASIDs, NPT01's, too */
	uint32_t held_back; /* tables read in vain as the processor has not flushed */
	struct mmu_counters counters;
};

/* The processor is at work from here on: under the lock, as all that takes a struct mmu is. */
static inline void mmu_serve(struct mmu *mmu, struct mmu_cpu *cpu)
{
	mmu->self = cpu;
	mmu->counters = &cpu->counters;
}

/*
 * Does this MMU use local roots? The levels above the guest's are then pages of one processor's
 * own: what stands in them is as short-lived as CR3 (PDPTEs), or must lie below 4 GiB.
 */
static inline bool uses_local_roots(const struct paging_mode *mode)
{
	return mode->format->levels <= 3;
}

/*
 * To be called when a flush of all ASIDs that run on NPT01 is certain to come before any of them
 * runs. In this order: what changes in NPT01 after the call asks for another flush.
 */
static inline void mmu_direct_flushed(struct mmu_cpu *cpu)
{
	__atomic_store_n(&cpu->flush_direct, false, __ATOMIC_SEQ_CST);
}

/*
 * Makes the processor's own root of NPT01, empty, and returns its hpa. The first call comes before
 * anything is tracked.
 */
uint64_t mmu_direct_root(struct mmu *mmu, struct mmu_cpu *cpu);

/* Fills NPT01 for a gpa. Returns false when there was nothing to fill: the fault was spurious. */
bool mmu_direct_fault(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa);

/*
 * Watches a frame of L1's memory that L0 keeps a copy of: ops->frame_changed() tells when it was
 * written, at the latest from mmu_watch_written(). Frames where L1 has no memory never change.
 */
void mmu_watch(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa);
void mmu_unwatch(struct mmu *mmu, uint64_t gpa);

/* Was the watched frame written, by whatever processor, since it was watched or the last call? */
bool mmu_watch_written(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa);

/*
 * Where to look, without the lock, whether watched frames were written since a copy of them was
 * made: what D says is not believed before ops->frame_changed() (or frame_opens()) has returned.
 */
enum { WATCH_MARKS = 64 };
struct watch_marks {
	uint32_t count;
	const uint64_t *leaf[WATCH_MARKS]; /* sptes of NPT01, of all processors */
};

/*
 * To be asked behind mmu_watch_written(), for so many frames from gpa on. False: there are too many
 * leaves, or a processor may write without a mark: the next time mmu_watch_written() has to tell.
 */
bool mmu_watch_marks(const struct mmu *mmu, uint64_t gpa, unsigned int frames,
                     struct watch_marks *marks);

/* Has none of them been written? The copy is good if nobody has been told, either: ask that next.
 */
static inline bool mmu_watch_holds(const struct watch_marks *marks)
{
	uint64_t any = 0;

	for (const uint64_t *const *at = marks->leaf; at != marks->leaf + marks->count; at++)
		any |= **at;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(any & PTE_D);
}

/* Can L2 write the watched frame at this moment? Then a copy is of no use. */
bool mmu_watch_is_open(const struct mmu *mmu, uint64_t gpa);

/*
 * L0 itself has written L1's memory at gpa; by a walk that set A or D: only watched frames care, as
 * such a write takes nothing away that a shadow page gives, and frames that are read as tables with
 * entries of both sizes. To be called after the write, or with the lock held from before it: who
 * reads the frame in between has read it too early.
 */
void mmu_note_write(struct mmu *mmu, uint64_t gpa);
void mmu_note_walk(struct mmu *mmu, uint64_t gpa);

/*
 * Is mmu_note_write() needed at all? Asked after the write, without a lock: who begins to track the
 * frame reads it after it has said so, and a write that was before that needs no note.
 */
bool mmu_wants_note(const struct mmu *mmu, uint64_t gpa);

/* What ops->map() says of memory types and sizes is another thing now: no leaf stays. Flushes. */
void mmu_drop_leaves(struct mmu *mmu);

/* What ops->map() says of the page at this gpa is another thing now. Flushes. */
void mmu_drop_page(struct mmu *mmu, uint64_t gpa);

/*
 * The root that shadows the tables, for a guest that runs under L1's asid: as fresh as that ASID
 * promises, see mmu_flush_asid(). Returns its hpa; it stays valid until the next call.
 */
uint64_t mmu_load_root(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                       uint32_t asid);

/*
 * The hpa of the root that is in use on the processor, if it is the one for these tables and fresh
 * enough; 0: mmu_load_root() has to see to it. Needs no lock: what is read is the processor's own,
 * and pages in use stay.
 */
uint64_t mmu_current_root(const struct mmu *mmu, const struct mmu_cpu *cpu,
                          const struct guest_tables *tables, uint32_t asid);

/*
 * The same for tables that are read as those of the processor's last mmu_load_root() were: mode,
 * PAT and direct are the same.
 */
uint64_t mmu_same_root(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa,
                       uint32_t asid);

/*
 * L1 flushed the ASID (or all) on this processor: what it changed in its tables before must show
 * when a guest runs under the ASID again. Nothing is flushed or compared here.
 */
void mmu_flush_asid(struct mmu_cpu *cpu, uint32_t asid);
void mmu_flush_all_asids(struct mmu_cpu *cpu);

/*
 * INVLPG by the guest on the processor's current root: what its tables say of the address shows
 * once the processor has done the same, for this one address.
 */
void mmu_invlpg(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                uint64_t address);

enum fault_result {
	FAULT_FILLED,    /* resume the guest */
	FAULT_SPURIOUS,  /* the tables allow the access already: resume */
	FAULT_RETRY,     /* L1's tables were changing: resume */
	FAULT_REFLECT,   /* L1's tables deny the access: it is L1's fault to handle */
	FAULT_READ_ONLY, /* they allow an access that ops->map() keeps for L0: at gpa */
};

struct page_fault {
	uint64_t address; /* ngpa; where there is no nested paging gva or ngva */
	uint32_t access;  /* ACCESS_* */
	uint32_t code;    /* FAULT_REFLECT: FAULT_* as the processor reports them */
	uint64_t gpa;     /* FAULT_READ_ONLY */
};

/* A fault on the processor's current root, which shadows these tables. */
enum fault_result mmu_fault(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                            struct page_fault *fault);

#endif
