/*
 * Random scripts against the model: every format under 4- and 5-level tables of L0, several
 * processors and ASIDs, pools so small that they are reclaimed all the time. See
 * tests/model/random_scripts.h for NESTLING_SEED and its like.
 */
#include "tests/unit/mmu_test.h"

#include "tests/model/random_scripts.h"

enum { OPERATIONS = 1500, DEFAULT_SECONDS = 10 };

static void scripts_hold_against_the_model(void **state)
{
	(void)state;
	random_scripts(&nested_model, OPERATIONS, DEFAULT_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_hold_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
