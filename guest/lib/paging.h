/*
 * Page tables of every format, built from one description of levels: L1's own, the nested ones,
 * and those that L1 prepares for L2. Relies on nothing; the formats are APM vol. 2, chapter 5.
 */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PT_PRESENT  (1ull << 0)
#define PT_WRITE    (1ull << 1)
#define PT_USER     (1ull << 2)
#define PT_PWT      (1ull << 3)
#define PT_PCD      (1ull << 4)
#define PT_ACCESSED (1ull << 5)
#define PT_DIRTY    (1ull << 6)
#define PT_LARGE    (1ull << 7)
#define PT_NX       (1ull << 63)

/* What most leaves want. */
#define PT_RW  (PT_PRESENT | PT_WRITE)
#define PT_RWU (PT_PRESENT | PT_WRITE | PT_USER)

#define PT_MAX_LEVELS 5

struct pt_level {
	uint8_t shift, bits;
	bool large;           /* entries of this level may map a page */
	uint64_t table_flags; /* of an entry that names a table */
};

struct pt_format {
	const char *name;
	unsigned int levels;
	unsigned int entry_bytes;
	bool nx;
	struct pt_level level[PT_MAX_LEVELS + 1]; /* by level; 1 is the last */
};

extern const struct pt_format pt_2level; /* without large pages: CR4.PSE=0 */
extern const struct pt_format pt_pse;
extern const struct pt_format pt_pae;
extern const struct pt_format pt_4level;
extern const struct pt_format pt_5level;

/*
 * What an image has that is built for both widths: PAE with 32 bits; with 64, 4 levels, or 5 if the
 * command line says levels=5. Ends the run as skipped if the machine has them not.
 */
const struct pt_format *pt_format_of_width(void);

/*
 * One set of tables. Table pages come from [next, end), addresses as the tables name them; L1 sees
 * such an address at address + window.
 */
struct pt {
	const struct pt_format *format;
	uint64_t root, next, end;
	uintptr_t window;
};

/* L1's own: start.c makes them, and tests add to them. */
extern struct pt l1_tables;

/* Starts an empty set of tables in [first, end), which must be page-aligned. */
void pt_init(struct pt *pt, const struct pt_format *format, uint64_t first, uint64_t end,
             uintptr_t window);

/* The size in bytes of what one entry of the level maps. */
uint64_t pt_page_size(const struct pt_format *format, unsigned int level);

/* The entry for the address at the level, where L1 sees it; NULL if there is no such table. */
void *pt_entry(const struct pt *pt, uint64_t address, unsigned int level);

/* The address of that entry as the tables name it. The table must be there. */
uint64_t pt_entry_address(const struct pt *pt, uint64_t address, unsigned int level);

/* Reads or replaces that entry. The table must be there: the run fails otherwise. */
uint64_t pt_get(const struct pt *pt, uint64_t address, unsigned int level);
void pt_set(struct pt *pt, uint64_t address, unsigned int level, uint64_t value);

/* Takes these bits out of that entry. */
static inline void pt_clear(struct pt *pt, uint64_t address, unsigned int level, uint64_t bits)
{
	pt_set(pt, address, level, pt_get(pt, address, level) & ~bits);
}

/* Maps one page of the level's size with the flags, and makes tables as needed. */
void pt_map(struct pt *pt, uint64_t address, uint64_t to, unsigned int level, uint64_t flags);

/* Maps bytes with pages no larger than max_level's, as large as the addresses allow. */
void pt_map_range(struct pt *pt, uint64_t address, uint64_t to, uint64_t bytes,
                  unsigned int max_level, uint64_t flags);

#endif
