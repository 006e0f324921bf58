/*
 * Guest memory for the host tests: a few pages with a journal of every change, so that what stood
 * anywhere at any earlier moment can be asked for. Relies on nothing of Nestling's.
 */
#ifndef TESTS_MODEL_RAM_H
#define TESTS_MODEL_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAM_PAGES = 24, RAM_LOW_PAGES = 16, RAM_WORDS = 512 };

#define RAM_LOW_GPA  0x00200000ull
#define RAM_HIGH_GPA 0x140000000ull /* above 4 GiB: tables of 64-bit formats only */

/* The journal's entry number t says what changed at time t. */
struct ram_change {
	uint64_t gpa; /* of an aligned word of 8 bytes */
	uint64_t old, new;
};

struct ram {
	uint64_t word[RAM_PAGES][RAM_WORDS];
	uint64_t seen[RAM_PAGES][RAM_WORDS]; /* as the journal knows it */
	bool dirty[RAM_PAGES];
	struct ram_change *change;
	size_t changes, room;
};

void ram_init(struct ram *ram);
void ram_free(struct ram *ram);

/* The page at a page-aligned gpa, NULL where there is none. */
uint64_t *ram_page(struct ram *ram, uint64_t gpa);
uint64_t ram_page_gpa(unsigned int page);
/* The number of the page at a gpa, -1 where there is none. */
int ram_page_number(uint64_t gpa);

/* The present moment. */
static inline size_t ram_now(const struct ram *ram)
{
	return ram->changes;
}

/* Entries of 4 or 8 bytes, aligned. Without memory reads give all ones and writes vanish. */
uint64_t ram_read(struct ram *ram, uint64_t gpa, unsigned int size);
void ram_write(struct ram *ram, uint64_t gpa, unsigned int size, uint64_t value);

/* Whoever has a page's address says so before it writes there ... */
void ram_will_write(struct ram *ram, uint64_t gpa);
/* ... and this finds what was written, puts it in the journal and returns how many words. */
size_t ram_collect(struct ram *ram);
/* Has the page changed at or after time? */
bool ram_page_changed(const struct ram *ram, unsigned int page, size_t time);
/* Does any page differ from what the journal knows? */
bool ram_changed_unseen(const struct ram *ram);

/* What stood in an entry at an earlier time. */
uint64_t ram_read_at(struct ram *ram, uint64_t gpa, unsigned int size, size_t time);
/* When the entry's word changed first at or after time: the moment behind it; 0: never. */
size_t ram_next_change(const struct ram *ram, uint64_t gpa, size_t time);

#endif
