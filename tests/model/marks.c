/*
 * A and D bits against the reference. Relies on tests/model/marks.h.
 */
#include "tests/model/marks.h"

#include <inttypes.h>
#include <stdio.h>

static char message[120];

static const char *became(const struct ram_change *change)
{
	snprintf(message, sizeof(message), "entry at %#" PRIx64 ": %#" PRIx64 " became %#" PRIx64,
	         change->gpa, change->old, change->new);
	return message;
}

/* A and D that the reference sets in the word at gpa. */
static uint64_t sets_in(const struct ref_result *expected, uint64_t gpa)
{
	uint64_t set = 0;

	for (unsigned int i = 0; i < expected->entries; i++) {
		if ((expected->entry[i].gpa & ~7ull) == gpa)
			set |= expected->entry[i].set << (8 * (expected->entry[i].gpa & 7));
	}
	return set;
}

const char *marks_wrong(struct ram *ram, const struct ref_result *expected, size_t since)
{
	for (size_t t = since; t < ram->changes; t++) {
		const struct ram_change *change = &ram->change[t];
		uint64_t set = change->old ^ change->new;

		if ((change->old & set) || (set & ~sets_in(expected, change->gpa)))
			return became(change);
	}
	for (unsigned int i = 0; i < expected->entries && !expected->fault; i++) {
		uint64_t gpa = expected->entry[i].gpa & ~7ull;

		if (ram_page_number(gpa) < 0 || !(sets_in(expected, gpa) & ~ram_read(ram, gpa, 8)))
			continue;
		snprintf(message, sizeof(message), "A or D not set in the entry at %#" PRIx64, gpa);
		return message;
	}
	return NULL;
}

const char *marks_wrong_amid(const struct ram *ram, size_t since, size_t except)
{
	const uint64_t marks = 0x60 | 0x60ull << 32; /* of small entries, too */

	for (size_t t = since; t < ram->changes; t++) {
		const struct ram_change *change = &ram->change[t];
		uint64_t set = change->old ^ change->new;

		if (t != except && ((change->old & set) || (set & ~marks)))
			return became(change);
	}
	return NULL;
}
