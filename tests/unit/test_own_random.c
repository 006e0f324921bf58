/*
 * Random scripts of guests with their own paging against the model: each format and mode, stores
 * into tables by the guests' own mappings, L1 and L2s, pools so small that they are reclaimed all
 * the time. NESTLING_SEED=n runs the one script of a seed, NESTLING_SECONDS=n runs for longer,
 * NESTLING_SEED_FROM=n begins there.
 */
#include "tests/unit/mmu_test.h"

#include "tests/model/own_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPERATIONS = 1200, DEFAULT_SECONDS = 20, FIRST_SEED = 1 };

/* Shared with the process that runs the scripts, which a sanitizer may end. */
struct progress {
	uint64_t seed, scripts;
	char message[600];
};

static struct progress *progress;
static struct script script;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

/* Does the script fail, in a process of its own? */
static int fails(const struct script *which)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		fclose(stderr);
		close(2);
		_exit(own_script_run(which, progress->message, sizeof(progress->message)) ? 1 : 0);
	}
	return child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
}

static void run_scripts(uint64_t first, double until)
{
	for (progress->seed = first;; progress->seed++) {
		own_script_random(&script, progress->seed, OPERATIONS);
		if (own_script_run(&script, progress->message, sizeof(progress->message)))
			exit(1);
		progress->scripts++;
		if (seconds() >= until)
			exit(0);
	}
}

static void scripts_hold_against_the_model(void **state)
{
	bool one = getenv("NESTLING_SEED") != NULL;
	uint64_t first = setting("NESTLING_SEED", setting("NESTLING_SEED_FROM", FIRST_SEED));
	double until = seconds() + (one ? 0 : (double)setting("NESTLING_SECONDS", DEFAULT_SECONDS));
	pid_t child;
	int status;

	(void)state;
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	assert_ptr_not_equal(progress, MAP_FAILED);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_scripts(first, until);
	assert_int_equal(waitpid(child, &status, 0), child);
	printf("seeds %lu to %lu, %lu scripts of %d operations\n", first, progress->seed,
	       progress->scripts, OPERATIONS);
	if (status == 0)
		return;
	printf("failed: NESTLING_SEED=%lu: %s\n", progress->seed, progress->message);
	own_script_random(&script, progress->seed, OPERATIONS);
	script_shrink(&script, fails);
	progress->message[0] = 0;
	fails(&script);
	printf("shrunk to %u operations: %s\n", script.count, progress->message);
	own_script_print(&script);
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_hold_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
