/*
 * The model TLB. Rather than a list of entries it keeps when a processor may have cached anything
 * of a root under an ASID, and asks guest memory's journal: a translation may still be cached if
 * some walk could have made it, each entry read no earlier than the one above it (a
 * paging-structure cache may hold upper entries for as long as a TLB holds leaves). And a processor
 * loads its TLB only while the ASID runs there: of what stood in a table meanwhile it never knows.
 * Relies on tests/model/ram.h and ref_walk.h.
 */
#ifndef TESTS_MODEL_HISTORY_H
#define TESTS_MODEL_HISTORY_H

#include "tests/model/ram.h"
#include "tests/model/ref_walk.h"

enum { WINDOWS = 24 };

/* When tables were in use since the last flush, the earliest first. */
struct windows {
	unsigned int count;
	struct {
		size_t begin, end; /* both are moments at which entries were read */
	} at[WINDOWS];
};

#define WINDOW_OPEN (~(size_t)0)
#define WINDOW_NONE (~(size_t)0)

/* All of the time from now on. */
#define WINDOWS_FROM(now) ((struct windows){.count = 1, .at = {{now, WINDOW_OPEN}}})

/* The tables are in use from now on; they are no longer. */
void windows_open(struct windows *windows, size_t now);
void windows_close(struct windows *windows, size_t now);

/* The first moment from time on at which they were in use; WINDOW_NONE: there is none. */
size_t windows_from(const struct windows *windows, size_t time);

/* The first such moment after time at which the entry may be another one than then. */
size_t windows_next_change(const struct windows *windows, const struct ram *ram, uint64_t gpa,
                           size_t time);

/* One root, one address, and the time in which entries may have been read. */
struct history {
	struct ram *ram;
	const struct ref_mode *mode;
	uint64_t cr3, address;
	const struct windows *windows;
};

/* Does a page of the guest's, with the rights that the processor may cache, explain what is seen?
 */
typedef bool (*history_match)(void *context, uint64_t gpa, unsigned int pat, bool write,
                              bool execute);

/* Could the processor have cached a translation that matches? */
bool history_may_have(const struct history *history, history_match match, void *context);

/* Could a walk for this access have ended in a fault with this code? */
bool history_may_fault(const struct history *history, struct ref_access access, uint32_t code);
/* The same for the rest of a walk. */
bool history_may_fault_from(const struct history *history, const struct ref_state *state,
                            struct ref_access access, uint32_t code);

#endif
