/*
 * The model TLB. Rather than a list of entries it keeps since when a processor may have cached
 * anything of a root under an ASID, and asks guest memory's journal: a translation may still be
 * cached if some walk since then could have made it, each entry read no earlier than the one above
 * it (a paging-structure cache may hold upper entries for as long as a TLB holds leaves). Relies
 * on tests/model/ram.h and ref_walk.h.
 */
#ifndef TESTS_MODEL_HISTORY_H
#define TESTS_MODEL_HISTORY_H

#include "tests/model/ram.h"
#include "tests/model/ref_walk.h"

/* One root, one address, and the time from which on entries may have been read. */
struct history {
	struct ram *ram;
	const struct ref_mode *mode;
	uint64_t cr3, address;
	size_t since;
};

/* Does a page of the guest's, with the rights that the processor may cache, explain what is seen?
 */
typedef bool (*history_match)(void *context, uint64_t gpa, unsigned int pat, bool write,
                              bool execute);

/* Could the processor have cached a translation that matches? */
bool history_may_have(const struct history *history, history_match match, void *context);

/* Could a walk for this access, begun since then, have ended in a fault with this code? */
bool history_may_fault(const struct history *history, struct ref_access access, uint32_t code);
/* The same for the rest of a walk. */
bool history_may_fault_from(const struct history *history, const struct ref_state *state,
                            struct ref_access access, uint32_t code);

#endif
