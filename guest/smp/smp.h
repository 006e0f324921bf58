/*
 * The image `smp`: several processors on tables that one of them edits. Relies on guest/lib.
 *
 * Every edit has a version: `started` before the first store, `finished` behind the last. What the
 * pages are at each version is kept in a ring, so that an access of any processor can be judged by
 * the versions that it may have met, whatever the others do meanwhile:
 *
 *	   seen                  known              last
 *	---+---------------------+------------------+-----> versions
 *	   this processor's      finished when      started when
 *	   last flush            the access began   it had ended
 *
 *	- an access that succeeds may be by any version from seen to last: a TLB may hold it;
 *	- one that is denied must be so by a version from known to last: what denies is looked up
 *	  again (APM 5.5.3), and so more access shows without a flush. Only if tables moved since
 *the last flush, and with them the way to the entry, may it be from seen on.
 */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "guest/lib/cpus.h"
#include "guest/lib/guest.h"

enum {
	TESTERS = L2_SLOTS,
	VERSIONS = 64,
	ASIDS = 16, /* as many as are used at most */
	TREES = 48,

	/* Pages lie in three ranges of 2 MiB; the last is one large page at times. */
	RANGES = 3,
	LARGE = 2,
	SLOTS = 8,       /* pages in the others, spread over the table */
	LARGE_SLOTS = 4, /* pages in the last */
	PAGES = (RANGES - 1) * SLOTS + LARGE_SLOTS,
	/* What an access can name besides pages: is the MSR, is the port intercepted? */
	THE_MSR = PAGES,
	THE_PORT,
	THINGS,

	/* Frames: 4 KiB of a pool that serve as tables or as data, and two blocks of 2 MiB. */
	POOL = 32,
	BLOCKS = 2,
	FRAMES = POOL + BLOCKS * LARGE_SLOTS,
};

/* What a thing is at one version. */
struct state {
	uint8_t frame;
	bool present, writable; /* the MSR and the port: present is intercepted */
};

/* The pages that are tested, their tables, and their past. */
struct scene {
	bool own;           /* accessed by L1 itself; else by L2s */
	bool upper_moves;   /* may the level 2 table move? */
	uint64_t base;      /* address of the first range */
	unsigned int trees; /* roots; all but their upper tables is shared */
	struct pt tree[TREES];
	struct pt writer;          /* shows the chunk to L2s that edit */
	uint64_t chunk, chunk_end; /* memory of the tables */
	volatile uint32_t started, finished;
	volatile uint32_t due;        /* the last version that takes something away */
	volatile uint32_t structural; /* the last one that moves tables */
	struct state history[VERSIONS][THINGS];
};
extern struct scene scene;

enum outcome { DONE, MISSING, READ_ONLY, INTERCEPTED, ODD };

/* An access and what became of it. */
struct access {
	unsigned int thing;
	bool write;
	uint32_t low, known, last; /* versions */
	enum outcome outcome;
	uint32_t value;      /* read, or written */
	uint64_t code, info; /* of an odd outcome */
};

/* A processor's part. */
struct tester {
	struct cpu *cpu;
	unsigned int number;
	uint32_t random;
	uint32_t stamp;

	struct l2 *l2, writer;
	unsigned int asid, next_asid; /* in use; not used since the last flush of all */
	uint32_t seen[ASIDS];         /* by ASID */
	unsigned int tree[ASIDS];
	bool flush_first, writer_flush;

	volatile uint32_t seen_page[PAGES]; /* of L1's own paging */
	volatile uint32_t probe_error;

	volatile bool begun;     /* it comes again: INIT was in between */
	volatile bool held;      /* it does not flush for now */
	volatile bool out;       /* it does not take part */
	volatile uint32_t acked; /* it flushed for all that was due at this version */
	volatile uint32_t interrupts;

	const char *failure; /* the first one */
	struct access failed;
};
extern struct tester testers[TESTERS];
extern unsigned int tester_count;

/* A kind of edit, as a bit of script.kinds. */
enum edit {
	MOVE_PAGE = 1 << 0,
	PAGE_RIGHTS = 1 << 1,
	TABLE_RIGHTS = 1 << 2,
	MOVE_TABLE = 1 << 3,
	MOVE_UPPER = 1 << 4,
	SIZES = 1 << 5,
	RECYCLE = 1 << 6,  /* tables become data, and data tables */
	MAPS = 1 << 7,     /* the MSR's and the port's bit */
	ADD_ONLY = 1 << 8, /* pages come back, one by one; none goes */
	ALL_EDITS = (1 << 8) - 1,
};

enum option {
	BY_L2 = 1 << 0,   /* an L2 of the editor's writes the entries */
	SILENT = 1 << 1,  /* the editor does nothing but edit */
	HOLD = 1 << 2,    /* now and then another processor does not flush */
	LAG = 1 << 3,     /* the editor does not wait for the others each time */
	RESTART = 1 << 4, /* INIT and SIPI to others; the editor is the first processor */
	POKE = 1 << 5,    /* interrupts to others */
};

struct script {
	unsigned int kinds, edits, options;
	unsigned int editor; /* a tester */
};

/* smp.c: reproducible random numbers of this tester; less than n. */
uint32_t smp_random(struct tester *tester, uint32_t n);
uint32_t smp_seed(void);

/* scene.c */
void scene_memory_init(void); /* ends the run as skipped if there is too little */
/* Makes new tables for L2s of this kind, or for L1's own paging (NULL), and all testers' L2s. */
void scene_make(const struct l2_kind *kind, unsigned int trees);
void scene_end(void);
/* The tester's VMCB as it was made. */
void scene_restore_vmcb(const struct tester *tester);
#define L2_TO_TABLES 0xc00000u /* where a writer sees the chunk */
uint64_t scene_address(unsigned int page);
uint64_t scene_private_address(unsigned int n); /* each tree's own pages: PRIVATE_RANGES */
uint32_t scene_private_tag(unsigned int tree);
enum { PRIVATE_RANGES = 3 };
uint32_t *frame_memory(unsigned int frame);
uint32_t frame_tag(unsigned int frame);
const struct state *scene_state(uint32_t version, unsigned int thing);

/* edit.c: one edit of the kinds, by the tester. Returns what L1 has to flush: 0, an address, or
 * SHOOT_ALL. */
#define SHOOT_ALL 1ull
void edit_init(void);
void edit_restore(void); /* takes the ranges out of L1's own tables */
uint64_t edit_once(struct tester *editor, unsigned int kinds, bool by_l2);

/* access.c: one access of any thing, judged. False if it was wrong, or one before. */
void access_begin(struct tester *tester);
bool access_any(struct tester *tester, unsigned int kinds);
bool access_thing(struct tester *tester, unsigned int thing, bool write);
void run_l2(struct tester *tester, struct l2 *l2, enum l2_snippet snippet);
/* An access of L2's to an address; false if it did not succeed. */
bool l2_reads(struct tester *tester, uint64_t address, uint32_t *value);
bool l2_writes(struct tester *tester, struct l2 *l2, uint64_t address, uint32_t value);
bool fail(struct tester *tester, const char *what, const struct access *access);

/* shoot.c: L1's own paging: flushes on this processor and, by interrupts, on the others. */
enum { SHOOT_VECTOR = 0x51, POKE_VECTOR = 0x52 };
void shoot_init(void);
void shoot_own(struct tester *tester, uint64_t what);
bool shoot_others(struct tester *tester, uint64_t what);
struct tester *tester_self(void);

/* play.c: all testers that are not out do their part; failures go to the open point. */
void testers_init(void);
bool play(const struct script *script);
void report_failures(const struct script *script);

/* interrupt.c */
void smp_interrupts(const struct l2_kind *kind);

#endif
