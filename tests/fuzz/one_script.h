/*
 * What the fuzzers have in common: any bytes are a script, so that all that libFuzzer finds counts.
 * Relies on tests/model/script.h.
 */
#ifndef TESTS_FUZZ_ONE_SCRIPT_H
#define TESTS_FUZZ_ONE_SCRIPT_H

#include "tests/model/script.h"

/* libFuzzer's way in, defined once for each fuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Runs the script: the first 8 bytes are the setting, each 8 after them an operation. Aborts with
 * the script printed if it fails; returns what LLVMFuzzerTestOneInput() is to return.
 */
int one_script(const struct script_model *model, const uint8_t *data, size_t size);

#endif
