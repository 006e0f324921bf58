/*
 * Random scripts of guests with their own paging against the model: each format and mode, stores
 * into tables by the guests' own mappings, L1 and L2s, pools so small that they are reclaimed all
 * the time. See tests/model/random_scripts.h for NESTLING_SEED and its like.
 */
#include "tests/unit/mmu_test.h"

#include "tests/model/random_scripts.h"

enum { OPERATIONS = 1200, DEFAULT_SECONDS = 20 };

static void scripts_hold_against_the_model(void **state)
{
	(void)state;
	random_scripts(&own_model, OPERATIONS, DEFAULT_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_hold_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
