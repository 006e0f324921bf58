/*
 * Shadow pages: tables that the processor walks for a guest, with a descriptor each. All roots,
 * the special ones too, are such pages. Relies on mmu/walk.h.
 *
 *   descriptor   role + gpa: what the page shadows. (gpa, role) finds common pages.
 *   table        512 sptes; a present one leads to a page of memory or to another table
 *   parents      the sptes that lead here (reverse map)
 */
#ifndef MMU_SHADOW_H
#define MMU_SHADOW_H

#include "mmu/counters.h"
#include "mmu/walk.h"

#include <stddef.h>

/* Everything besides the gpa that makes two shadow pages different. */
union shadow_role {
	uint64_t word;
	struct {
		uint64_t level : 3;        /* of the shadow table */
		uint64_t direct : 1;       /* maps a linear range; else shadows a guest's table */
		uint64_t local : 1;        /* owned by one processor, never in the hash */
		uint64_t pdptes : 1;       /* of PAE: 4 entries without rights, the root */
		uint64_t npt01 : 1;        /* a processor's own map of all that L1 may reach */
		uint64_t delta : 2;        /* shadow level - guest level, see is_passthrough() */
		uint64_t format : 2;       /* enum pt_format_id of the guest's table */
		uint64_t quadrant : 2;     /* which part of a 4 KiB table of 4-byte entries */
		uint64_t mode : MODE_BITS; /* MODE_* of the guest's table */
		uint64_t type : 3;         /* direct: memory type, an index into L0's PAT */
		uint64_t pat : 24;         /* indirect: the guest's PAT, 8 types of 3 bits */
	};
};
_Static_assert(sizeof(union shadow_role) == 8, "a role is compared as one word");

struct shadow_page {
	uint64_t gpa; /* direct: where the range begins; else: the guest's table */
	union shadow_role role;
	uint64_t *table;
	struct shadow_page *hash_next;     /* also links the lists of free and of zapped pages */
	struct shadow_page *older, *newer; /* by last use */
	uint64_t *parent;                  /* one spte that leads here, NULL: none does */
	struct parent_chunk *more_parents; /* the others */
	uint32_t chunks;                   /* of more_parents */
	uint64_t serial;                   /* tells a page from an earlier one at this place */
	uint64_t used; /* mmu->serial when it was used last: order matters when pages are taken */
	/* NPT01, level 1, "region": frames whose D is watched; 2, "giant": regions with such. */
	uint64_t tracked[SHADOW_ENTRIES / 64];
	union {
		uint64_t unarmed[SHADOW_ENTRIES / 64]; /* frames that L1 may write with D=0 */
		uint64_t awake[SHADOW_ENTRIES / 64];   /* regions, whatever A says */
	};
	struct shadow_page *next_giant; /* of the processor's, with tracked frames */
	uint32_t tracked_count;
	uint8_t words;   /* those of tracked[] that are not 0 */
	uint8_t quiet;   /* region, giant: what A of the entry above tells, mmu/region.h */
	uint16_t heat;   /* how many entries of the table were read again, up to what is hot */
	uint32_t groups; /* of GROUP_ENTRIES sptes each: those that may have one */
	/*
	 * What was read last of a table that is read again and again stands in a page of the pool,
	 * role 0. Each of the two has the other one here.
	 */
	struct shadow_page *copy;
	uint32_t pins;    /* by processors that have it as root and by tracked frames below it */
	uint32_t present; /* sptes */
	bool live;
	uint8_t restless; /* region, giant: flushes for which it is left awake once it was woken */
	/* Collections, by their number: until which it stays awake; which has put it to sleep. */
	union {
		uint32_t until, fell;
	};
};

/* Sptes that are skipped at one glance when a table is read again. */
enum { GROUP_ENTRIES = SHADOW_ENTRIES / 32 };

/* Further parents of a page: most pages have one parent only. */
struct parent_chunk {
	uint64_t *spte[7];
	struct parent_chunk *next;
};

/* Descriptors stay under a tenth of the table's size. */
_Static_assert(sizeof(struct shadow_page) <= 409, "descriptor of a shadow page");

struct mmu_cpu;

/* Memory types as PAT and MTRRs have them; APM vol. 2, section 7.8.1. */
enum memory_type { TYPE_UC, TYPE_WC, TYPE_WT = 4, TYPE_WP, TYPE_WB, TYPE_UC_MINUS };

/* A page of L1's memory as L0 may map it. */
struct host_mapping {
	uint64_t hpa;
	int level;      /* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB: the largest page allowed there */
	bool read_only; /* writes are L0's to perform: FAULT_READ_ONLY; level is 1 then */
	bool hidden;    /* and so are reads: read_only, too */
	bool typed;     /* the leaf's memory type is combined with this one; UC- gives way to WC */
	uint8_t type;
};

/* What mmu/ needs of the rest. context is passed to each function. */
struct mmu_ops {
	/*
	 * gpa to hpa, with the largest page that keeps L0's hole, memory types and tracked frames
	 * apart. Every gpa has an answer: what L1 does not own leads to a page that is nobody's.
	 */
	struct host_mapping (*map)(void *context, uint64_t gpa);
	/* A frame that mmu_watch() named has been written. May be NULL where nothing is watched. */
	void (*frame_changed)(void *context, uint64_t gpa);
	/*
	 * Such a frame was written by L0, or is about to be one that a guest can write without a
	 * word: no guest that relies on the copy runs on when this returns.
	 */
	void (*frame_opens)(void *context, uint64_t gpa);
	/*
	 * Flushes what any processor may have cached of any shadow page, before pages are reused.
	 * When it returns no guest runs with anything older.
	 */
	void (*flush_all)(void *context);
	/*
	 * Asks another processor to enter L0 soon and to flush for flush_direct, whatever guest it
	 * goes back to; nobody waits for it. May be NULL: then frames that it may have written are
	 * read again and again.
	 */
	void (*kick)(void *context, struct mmu_cpu *cpu);
};

/* What sptes of all levels can grant and deny, but for those of a page of PDPTEs. */
#define SPTE_RIGHTS (PTE_W | PTE_U | PTE_NX)

enum { MMU_CHANGES = 64 };

/* mmu/glance.h: entries to look at. */
enum { GLANCE_MARKS = 32 };
struct marks {
	uint32_t count;
	const uint64_t *at[GLANCE_MARKS];
};

/* What says that no table has been written: A of none of these, nor D of those that are written. */
struct glance {
	int32_t calm;          /* GLANCE_HOLDS, or searches since anything was another thing */
	uint32_t since, stays; /* a collection; so many later something may fall asleep */
	struct marks come, come_64, written; /* _64: 64 of them each, in a row */
};

/* All shadow pages of the machine. */
struct mmu {
	struct guest_memory memory;
	const struct mmu_ops *ops;
	void *context;
	uint8_t host_levels; /* of nested tables as L0's CR4 and EFER have it: 3 to 5 */
	uint8_t phys_bits;
	bool identity; /* ops->map() gives gpas, but for pages that it puts elsewhere */
	bool host_1g;  /* L0's processor maps 1 GiB pages */
	/*
	 * There is no nested paging: shadow pages stand for what guests have in CR3, in the formats
	 * of the processor's own paging, and mmu/protect.h tells which tables were written.
	 */
	bool shadows_l1_paging;

	struct shadow_page *pages; /* one descriptor per table, in order */
	uint64_t *tables;
	uint64_t tables_hpa;
	uint32_t page_count, free_count;
	struct shadow_page *free;   /* empty, and no processor has anything of them cached */
	struct shadow_page *zapped; /* ended, but not flushed since */
	struct shadow_page *oldest, *newest;
	struct shadow_page **hash;
	uint32_t hash_mask;
	struct parent_chunk *free_chunks;

	struct mmu_cpu *cpus;         /* all that have an NPT01 */
	struct mmu_cpu *home;         /* the first of them: its NPT01 has all tracked frames */
	struct mmu_cpu *self;         /* at work: holds the lock, and runs no guest meanwhile */
	struct paging_mode last_mode; /* of the page synchronized last */
	uint64_t last_mode_key;

	uint8_t *frames; /* mmu/track.h: a byte per frame of L1's memory */
	uint64_t frame_count;
	uint16_t *block_tracked; /* tracked frames in each 2 MiB */
	uint32_t *giant_tracked; /* ... and in each 1 GiB */
	uint16_t *block_writers; /* 2 MiB leaves that let L2 write, in each 2 MiB */
	uint16_t *giant_writers;
	uint16_t *block_noted; /* tracked frames that others than L1 may have written, in 2 MiB */
	bool stale_writers;    /* a leaf that let L2 write has gone without a flush */

	/* mmu/protect.h: the writable leaves of each frame, numbered from 1; 0 ends a list. */
	uint32_t *leaf_heads[4]; /* by level: of each 4 KiB, 2 MiB, 1 GiB */
	uint32_t *leaf_next, *leaf_prev;
	uint64_t *dirty; /* frames, some of them not dirty any more */
	uint32_t dirty_count;
	bool dirty_upper; /* one of them has a shadow above level 1 */

	/* mmu/change.h: the sptes that came to say something new last, and how many ever did. */
	uint32_t changed[MMU_CHANGES];
	uint64_t changes;
	uint64_t serial;  /* of the page made last */
	uint64_t unlinks; /* counts sptes that led to tables and went */
	uint64_t maps;    /* counts changes of what ops->map() says */

	/* How many copies there are, where to look for one next, and how many pages were ever used.
	 */
	uint32_t copies, copy_hand, pages_used;
	uint16_t hot; /* so many entries that are read again make a table hot: it gets a copy */

	uint64_t frames_tracked, frames_watched;
	uint32_t collections; /* so many times regions_collect() */
	struct glance glance;
	struct mmu_counters *counters; /* of the processor at work */
	struct mmu_counters nobodys;   /* ... while none has been at work yet */
};

/* Bytes of memory, besides the tables themselves, that page_count pages need. */
uint64_t mmu_metadata_size(uint32_t page_count);

/*
 * With so many pages a descent of any processor always finds those that it needs: all that can be
 * pinned at one time, and what one descent takes. Each of cpus processors has its NPT01, a root in
 * use, and so many frames that it watches; each frame that is tracked pins the tables of the
 * first processor's NPT01 that lead to it. mmu_init() comes first, and what tracks frames.
 */
uint32_t mmu_least_pages(const struct mmu *mmu, uint32_t cpus, uint32_t watched);

/*
 * Sets mmu up over page_count tables (4 KiB each, consecutive, at tables_hpa below 4 GiB) and
 * their metadata. The fields up to phys_bits and host_1g are the caller's to fill before.
 */
void mmu_init(struct mmu *mmu, uint64_t *tables, uint64_t tables_hpa, void *metadata,
              uint32_t page_count);

/* A passthrough page has a level that the guest's tables have not: it leads to the next one. */
static inline bool is_passthrough(const struct shadow_page *page)
{
	return page->role.delta != 0;
}

static inline bool is_npt01(const struct shadow_page *page)
{
	return page->role.npt01;
}

/* Where an spte leads: the address of a 4 KiB page of memory or of a table. */
#define SPTE_ADDRESS 0x000ffffffffff000ull

static inline uint64_t spte_frame(uint64_t spte)
{
	return (spte & SPTE_ADDRESS) >> PT_PAGE_SHIFT;
}

static inline bool spte_is_writable(uint64_t spte)
{
	return (spte & (PTE_P | PTE_W)) == (PTE_P | PTE_W);
}

static inline struct shadow_page *page_of_spte(const struct mmu *mmu, uint64_t spte)
{
	return &mmu->pages[((spte & SPTE_ADDRESS) - mmu->tables_hpa) >> PT_PAGE_SHIFT];
}

/* The page in whose table this spte stands. */
static inline struct shadow_page *page_of_table(const struct mmu *mmu, const uint64_t *spte)
{
	return &mmu->pages[(size_t)(spte - mmu->tables) / SHADOW_ENTRIES];
}

static inline uint64_t page_hpa(const struct mmu *mmu, const struct shadow_page *page)
{
	return mmu->tables_hpa + ((uint64_t)(page - mmu->pages) << PT_PAGE_SHIFT);
}

/* Bytes that one spte of a table of this level covers, as a shift. */
static inline unsigned int shadow_shift(int level)
{
	return (unsigned int)(PT_PAGE_SHIFT + SHADOW_INDEX_BITS * (level - 1));
}

static inline unsigned int shadow_index(int level, uint64_t address)
{
	return (unsigned int)(address >> shadow_shift(level)) & (SHADOW_ENTRIES - 1);
}

static inline bool spte_is_leaf(uint64_t spte, int level)
{
	return level == 1 || (spte & PTE_PS);
}

/* pool.c: finding, making and ending pages. */

/*
 * Makes sure that count pages can be taken without reclaiming; reclaims the least recently used
 * ones, and flushes, if they cannot. To be called before a descent: pages that it passes must not
 * go away under it.
 */
void pool_reserve(struct mmu *mmu, uint32_t count);

/* What a descent of this many levels may take: where frames are tracked, NPT01's pages, too. */
static inline uint32_t pages_for(const struct mmu *mmu, uint32_t levels)
{
	return mmu->frame_count && !mmu->shadows_l1_paging ? levels * (1 + PT_MAX_LEVEL) : levels;
}

/*
 * The common page of (gpa, role), made empty if there is none; a local role always makes one.
 * *found tells which. Takes from what pool_reserve() set aside.
 */
struct shadow_page *page_get(struct mmu *mmu, uint64_t gpa, union shadow_role role, bool *found);

/* The first common page that shadows the table at gpa, whatever its role; then the next one. */
struct shadow_page *page_shadows(const struct mmu *mmu, uint64_t gpa);
struct shadow_page *page_next_shadow(const struct shadow_page *page);

/*
 * Makes a page the most recently used: newer than all that were not used since the last page was
 * made. Pages in use all the time are not moved about in the list for nothing.
 */
void page_make_newest(struct mmu *mmu, struct shadow_page *page);
static inline void page_touch(struct mmu *mmu, struct shadow_page *page)
{
	if (page->used != mmu->serial)
		page_make_newest(mmu, page);
}

/*
 * Ends a page: no spte leads to it any more, nor from it, and it waits for the flush that makes
 * it free. Its local children, which nothing else can reach, end with it.
 */
void page_zap(struct mmu *mmu, struct shadow_page *page);

/* Is it no shadow, but the copy of a table? */
static inline bool is_copy(const struct shadow_page *page)
{
	return !page->role.level;
}

/*
 * Gives the page a copy of its table, with nothing in it that is known. May be none: copies are
 * few, and take nothing that pool_reserve() has set aside.
 */
void give_copy(struct mmu *mmu, struct shadow_page *page);

/* The spte says now what this entry of the guest's says: so does the copy, if there is one. */
static inline void copy_entry(const struct shadow_page *page, unsigned int index, uint64_t entry)
{
	if (page->copy)
		page->copy->table[index] = entry;
}

/* An spte comes to where none was. */
static inline void count_spte(struct shadow_page *page, unsigned int index)
{
	page->present++;
	page->groups |= 1u << index / GROUP_ENTRIES;
}

/* link.c: sptes and the reverse map. */

/* Leads an spte to a child table with these rights (of SPTE_RIGHTS). */
void spte_link(struct mmu *mmu, struct shadow_page *page, unsigned int index,
               struct shadow_page *child, uint64_t rights);

/* The processor may walk the table meanwhile: each spte is written at once. */
static inline void write_spte(uint64_t *at, uint64_t spte)
{
	__atomic_store_n(at, spte, __ATOMIC_RELEASE);
}

/* Sets a leaf. */
void spte_set(struct mmu *mmu, struct shadow_page *page, unsigned int index, uint64_t spte);

/* Clears an spte, of whatever kind. A local child that it led to ends. */
void spte_clear(struct mmu *mmu, struct shadow_page *page, unsigned int index);

/* Clears the sptes that lead to the page. */
void unlink_parents(struct mmu *mmu, struct shadow_page *page);

#endif
