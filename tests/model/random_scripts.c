/*
 * Random scripts until the time is over, in a process of their own. Relies on
 * tests/model/random_scripts.h.
 */
#include "tests/model/random_scripts.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_SEED = 1,
	ENOUGH = 50, /* scripts that come to all that there is */
};

/* Shared with the process that runs the scripts, which a sanitizer may end. */
struct progress {
	uint64_t seed, scripts;
	char message[600];
};

static struct progress *progress;
static struct script script;
static const struct script_model *model;
static uint32_t operations;

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
		_exit(model->run(which, progress->message, sizeof(progress->message)) ? 1 : 0);
	}
	return child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
}

static void run_scripts(uint64_t first, double until)
{
	for (progress->seed = first;; progress->seed++) {
		model->make(&script, progress->seed, operations);
		if (model->run(&script, progress->message, sizeof(progress->message)))
			exit(1);
		progress->scripts++;
		if (seconds() >= until)
			break;
	}
	if (progress->scripts >= ENOUGH && model->missed && model->missed())
		snprintf(progress->message, sizeof(progress->message), "never came to %s",
		         model->missed());
	exit(0);
}

void random_scripts(const struct script_model *of, uint32_t count, uint64_t default_seconds)
{
	bool one = getenv("NESTLING_SEED") != NULL;
	uint64_t first = setting("NESTLING_SEED", setting("NESTLING_SEED_FROM", FIRST_SEED));
	double until = seconds() + (one ? 0 : (double)setting("NESTLING_SECONDS", default_seconds));
	pid_t child;
	int status;

	model = of;
	operations = count;
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	assert_ptr_not_equal(progress, MAP_FAILED);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		run_scripts(first, until);
	assert_int_equal(waitpid(child, &status, 0), child);
	printf("seeds %" PRIu64 " to %" PRIu64 ", %" PRIu64 " scripts of %u operations\n", first,
	       progress->seed, progress->scripts, operations);
	if (status == 0) {
		assert_string_equal(progress->message, "");
		return;
	}
	printf("failed: NESTLING_SEED=%" PRIu64 ": %s\n", progress->seed, progress->message);
	model->make(&script, progress->seed, operations);
	script_shrink(&script, fails);
	progress->message[0] = 0;
	fails(&script);
	printf("shrunk to %u operations: %s\n", script.count, progress->message);
	model->print(&script);
	fail();
}
