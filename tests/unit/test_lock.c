/*
 * The lock of processors: one at a time has it, and where processors are threads, who finds it free
 * gets it although another, who asked before, does not run.
 */
#include "tests/unit/mmu_test.h"

#include <pthread.h>
#include <sched.h>

#include "hv/lock.h"

enum { THREADS = 4, TURNS = 20000 };

static void yield(void)
{
	sched_yield();
}

static struct lock lock = {.wait = yield};
static unsigned int count;

static void *take_turns(void *any_order)
{
	for (int i = 0; i < TURNS; i++) {
		if (any_order && i % 2)
			while (!lock_try(&lock))
				yield();
		else
			lock_take(&lock);
		count++;
		lock_release(&lock);
	}
	return NULL;
}

/* TURNS by each of THREADS; of those with an odd number every second one as ODD says. */
static void all_take_turns(void *odd)
{
	pthread_t threads[THREADS];

	count = 0;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, take_turns, i % 2 ? odd : NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count, THREADS * TURNS);
}

static void test_in_order(void **state)
{
	(void)state;
	lock_any_order = false;
	all_take_turns(NULL);
}

static void test_any_order(void **state)
{
	(void)state;
	lock_any_order = true;
	all_take_turns(NULL);
	lock_any_order = false;
}

static void test_both_meet(void **state)
{
	(void)state;
	all_take_turns(&lock);
}

static pthread_barrier_t asked, let_run;

/* A processor that found the lock taken, and is not let run until the test is through. */
static void stand_still(void)
{
	static bool once;

	if (!once) {
		once = true;
		pthread_barrier_wait(&asked);
		pthread_barrier_wait(&let_run);
	}
	yield();
}

static struct lock stopped = {.wait = stand_still};

static void *ask(void *unused)
{
	(void)unused;
	lock_take(&stopped);
	lock_release(&stopped);
	return NULL;
}

static void test_who_does_not_run_is_not_waited_for(void **state)
{
	pthread_t thread;

	(void)state;
	lock_any_order = true;
	pthread_barrier_init(&asked, NULL, 2);
	pthread_barrier_init(&let_run, NULL, 2);
	lock_take(&stopped);
	pthread_create(&thread, NULL, ask, NULL);
	pthread_barrier_wait(&asked);
	lock_release(&stopped);
	assert_true(lock_try(&stopped));
	assert_false(lock_try(&stopped));
	lock_release(&stopped);
	pthread_barrier_wait(&let_run);
	pthread_join(thread, NULL);
	lock_any_order = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_both_meet),
		cmocka_unit_test(test_who_does_not_run_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
