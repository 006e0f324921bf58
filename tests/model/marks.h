/*
 * A and D bits that walks on behalf of the processor set in guest memory. Relies on
 * tests/model/ram.h and ref_walk.h.
 */
#ifndef TESTS_MODEL_MARKS_H
#define TESTS_MODEL_MARKS_H

#include "tests/model/ram.h"
#include "tests/model/ref_walk.h"

/*
 * What was written since then is to be A and D of the entries that the reference walk used, all of
 * them if it came through. Returns what is wrong, NULL: nothing.
 */
const char *marks_wrong(struct ram *ram, const struct ref_result *expected, size_t since);

/* The same amid writes of others: besides the change number except nothing but A and D came. */
const char *marks_wrong_amid(const struct ram *ram, size_t since, size_t except);

#endif
