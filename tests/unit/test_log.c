/*
 * hv/log.c: what a panic does and in which order, where L1 has the consoles, where it panics again
 * on the way, and where two processors panic at once, which are threads here. Relies on cmocka.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/stack.h"
#include "hv/x86.h"

static _Thread_local struct stack_base base;
static _Thread_local jmp_buf halted;
static void wait_a_little(void);
#define stack_base()    (&base)
#define halt_for_good() longjmp(halted, 1)
#define cpu_relax       wait_a_little
#define panic           log_panic
#define stop            log_stop
#include "hv/log.c"

enum { SAID = 4096 };

/* What happened, in order: a letter for each thing, and what was said. */
static char events[SAID], serial_text[SAID], screen_text[SAID];
static bool there; /* the screen is where it was */
static void (*in_stop)(void), (*in_report)(void);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void wait_a_little(void)
{
	sched_yield();
}

static void add(char *to, const char *text, size_t length)
{
	pthread_mutex_lock(&mutex);
	assert_true(strlen(to) + length < SAID);
	strncat(to, text, length);
	pthread_mutex_unlock(&mutex);
}

void serial_write(const char *text, size_t length)
{
	add(events, "s", 1);
	add(serial_text, text, length);
}

void screen_write(const char *text, size_t length)
{
	add(events, "p", 1);
	add(screen_text, text, length);
}

void screen_redraw(void)
{
	add(events, "r", 1);
}

bool screen_take_back(void)
{
	add(events, "t", 1);
	return there;
}

static void stop_others(void)
{
	void (*then)(void) = in_stop;

	in_stop = NULL;
	add(events, "o", 1);
	if (then)
		then();
}

static void report(void)
{
	void (*then)(void) = in_report;

	in_report = NULL;
	add(events, "R", 1);
	log_line("report");
	if (then)
		then();
}

static int fresh(void **state)
{
	(void)state;
	memset(events, 0, sizeof(events));
	memset(serial_text, 0, sizeof(serial_text));
	memset(screen_text, 0, sizeof(screen_text));
	memset(&base, 0, sizeof(base));
	to_serial = to_screen = there = true;
	screen_is_shared = busy = dying = taken = false;
	in_stop = in_report = NULL;
	panic_set_report(stop_others, report);
	return 0;
}

static void l1_runs(void)
{
	log_set_serial(false);
	log_share_screen(false);
}

static void die(const char *why)
{
	if (!setjmp(halted))
		log_panic("%s", why);
}

static void panic_again(void)
{
	log_panic("again");
}

/* Nothing of PCI's is touched, and nothing drawn, before the others have stopped. */
static void a_panic_takes_the_screen_when_the_others_have_stopped(void **state)
{
	(void)state;
	l1_runs();
	die("why");
	assert_string_equal(events, "sotpRspr");
	assert_string_equal(serial_text, "nestling: panic: why\nnestling:   report\n");
	assert_string_equal(screen_text, "nestling: panic: why\nnestling:   report\n");
}

static void a_screen_that_has_moved_is_left_alone(void **state)
{
	(void)state;
	l1_runs();
	there = false;
	die("why");
	assert_string_equal(events, "sotRs");
}

static void at_boot_the_screen_is_l0s(void **state)
{
	(void)state;
	die("why");
	assert_string_equal(events, "sopRspr");
	fresh(NULL);
	panic_set_report(NULL, NULL);
	die("why");
	assert_string_equal(events, "spr");
	fresh(NULL);
	if (!setjmp(halted))
		log_stop("what to do");
	assert_string_equal(events, "sp");
	assert_string_equal(screen_text, "nestling: error: what to do\n");
}

/* It ends, and both reasons are there. */
static void a_panic_within_a_panic(void **state)
{
	(void)state;
	l1_runs();
	in_report = panic_again;
	die("why");
	assert_string_equal(events, "sotpRspspr");
	assert_non_null(strstr(screen_text, "panic: why"));
	assert_non_null(strstr(screen_text, "panic: again"));
	fresh(NULL);
	l1_runs();
	in_stop = panic_again;
	die("why");
	assert_string_equal(events, "sostpr");
	assert_string_equal(serial_text, "nestling: panic: why\nnestling: panic: again\n");
	assert_string_equal(screen_text, "nestling: panic: again\n");
}

static void *second_processor(void *unused)
{
	(void)unused;
	die("second");
	return NULL;
}

static pthread_t second;

static bool has(const char *in, const char *text)
{
	bool found;

	pthread_mutex_lock(&mutex);
	found = strstr(in, text);
	pthread_mutex_unlock(&mutex);
	return found;
}

/* The other one panics when the first one has not yet stopped it, and gets ahead. */
static void begin_second(void)
{
	assert_int_equal(pthread_create(&second, NULL, second_processor, NULL), 0);
	while (!has(events, "soso"))
		sched_yield();
}

static void two_processors(void **state)
{
	const char *take;

	(void)state;
	l1_runs();
	in_stop = begin_second;
	die("first");
	pthread_join(second, NULL);
	take = strchr(events, 't');
	assert_non_null(take);
	assert_null(strchr(take + 1, 't'));
	assert_ptr_equal(strchr(events, 'R'), strrchr(events, 'R'));
	assert_memory_equal(events, "sosot", 5); /* each has stopped the other by then */
	assert_non_null(strstr(serial_text, "panic: first\n"));
	assert_non_null(strstr(serial_text, "panic: second\n"));
	assert_non_null(strstr(screen_text, "panic: first\n"));
	assert_non_null(strstr(screen_text, "panic: second\n"));
}

static void lines_by_level(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	log_info("info %d", 1);
	log_debug("debug");
	assert_string_equal(serial_text, "nestling: info 1\n");
	l1_runs();
	log_info("for the ring");
	assert_string_equal(events, "sp");
	log_aloud("once");
	assert_string_equal(events, "sps");
	assert_non_null(strstr(ring.text, "nestling: for the ring\nnestling: once\n"));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_panic_takes_the_screen_when_the_others_have_stopped),
		TEST(a_screen_that_has_moved_is_left_alone),
		TEST(at_boot_the_screen_is_l0s),
		TEST(a_panic_within_a_panic),
		TEST(two_processors),
		TEST(lines_by_level),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
