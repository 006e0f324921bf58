/*
 * The random test of a model's scripts; a script that fails is shrunk and printed. Relies on
 * tests/model/script.h and cmocka.
 */
#ifndef TESTS_MODEL_RANDOM_SCRIPTS_H
#define TESTS_MODEL_RANDOM_SCRIPTS_H

#include "tests/model/script.h"

/*
 * Fails the test that calls it if a script fails. In the environment NESTLING_SEED=n runs the one
 * script of a seed, NESTLING_SECONDS=n runs for so long, NESTLING_SEED_FROM=n begins there.
 */
void random_scripts(const struct script_model *of, uint32_t count, uint64_t default_seconds);

#endif
