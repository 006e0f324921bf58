/*
 * boot/processors.c: how processors are started, how much of the heap they take, and what becomes
 * of those that come late or not.
 */
#include "tests/unit/processors_rig.h"

/* Wherever the heap begins: what is asked for is enough, and none of it too much at the worst. */
static void they_fit(void **state)
{
	enum { WORST = 1, COUNTS = 40 };

	(void)state;
	for (unsigned int count = 0; count < COUNTS; count++) {
		for (unsigned int page = 0; page < STACK_PAGES; page++) {
			if (page != WORST && count > STACK_PAGES)
				continue;
			machine(count);
			take_ids(count, page);
			if (count)
				start(count);
			if (count && page == WORST)
				assert_true(heap_next == heap_end);
		}
	}
}

/* Two that say one id: who comes second finds the place taken. */
static void a_place_is_one_processors(void **state)
{
	(void)state;
	machine(3);
	cpus[2].id = 2;
	take_ids(2, 0);
	assert_int_equal(processors_start(others, 2, PAGE), 3);
	assert_int_equal(cpus[0].state, RUNS);
	assert_true((cpus[1].state == RUNS) + (cpus[2].state == RUNS) <= 1);
	assert_page_is_back();
}

static void late_ones_stay_outside(void **state)
{
	(void)state;
	machine(3);
	for (unsigned int i = 0; i < 3; i++)
		cpus[i].state = WAITS;
	get(&cpus[2], ICR_STARTUP | PAGE >> PAGE_SHIFT); /* as if from processors_find() */
	take_ids(2, 0);
	assert_int_equal(processors_start(others, 2, PAGE), 3);
	assert_true(cpus[0].state == RUNS && cpus[1].state == RUNS);
	assert_int_equal(cpus[2].state, WAITS);
	assert_int_equal(lines, 1);
	assert_page_is_back();
}

/* They cost one wait, not one each. */
static void some_are_lost_before_they_start(void **state)
{
	(void)state;
	machine(6);
	take_ids(6, 0);
	cpus[0].delay = cpus[2].delay = cpus[3].delay = NEVER;
	assert_int_equal(processors_start(others, 6, PAGE), 4);
	assert_true(cpus[1].state == RUNS && cpus[4].state == RUNS && cpus[5].state == RUNS);
	assert_int_equal(lines, 3);
	assert_true(now <= (JOIN_MS + 20ull) * MS);
}

/* It has begun: INIT could leave a lock behind it, which nobody would get any more. */
static void slow_ones_are_waited_for(void **state)
{
	(void)state;
	machine(4);
	take_ids(4, 0);
	cpus[1].work = JOIN_MS + 2000;
	cpus[2].delay = NEVER;
	assert_int_equal(processors_start(others, 4, PAGE), 4);
	assert_true(cpus[0].state == RUNS && cpus[1].state == RUNS && cpus[3].state == RUNS);
	assert_int_equal(lines, 1);
	assert_page_is_back();
}

static void one_that_hangs_stops_the_boot(void **state)
{
	(void)state;
	machine(2);
	take_ids(2, 0);
	cpus[1].work = NEVER;
	if (!setjmp(stopped)) {
		processors_start(others, 2, PAGE);
		fail();
	}
	assert_int_equal(cpus[1].state, BEGINS);
	assert_true(now <= (2 * JOIN_MS + 20ull) * MS);
}

/* It comes when it has just been given up: it halts in L0, until it gets the INIT. */
static void one_that_is_given_up_does_not_begin(void **state)
{
	(void)state;
	machine(2);
	take_ids(2, 0);
	cpus[0].delay = JOIN_MS + 100;
	overtakes = &cpus[0];
	assert_int_equal(processors_start(others, 2, PAGE), 2);
	assert_int_equal(cpus[0].state, WAITS);
	assert_int_equal(cpus[0].vcpu->cpu.join, JOIN_GIVEN_UP);
	assert_int_equal(lines, 1);
}

/* Those that wait amid the firmware come when the door opens, and to places of their own. */
static int taken_delay, taken_work;

static void open_door(uint64_t information, uint32_t entry, uint32_t argument)
{
	assert_int_equal(information, 0x7000);
	assert_int_equal(entry - argument, ap_taken - ap_begin);
	assert_int_equal(argument, PAGE);
	for (unsigned int i = 0; i < cpu_total; i++) {
		cpus[i].state = COMES;
		cpus[i].work = taken_work;
		cpus[i].comes_at = now + (uint64_t)taken_delay * MS;
		coming++;
	}
}

static const struct processors_door door = {PAGE, 0x7000, open_door};

static void those_amid_the_firmware_are_taken(void **state)
{
	static struct l1_start starts[3];

	(void)state;
	machine(3);
	take_ids(3, 0);
	taken_delay = taken_work = 5;
	processors_take(others, 3, starts, &door);
	assert_int_equal(joined, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(cpus[i].state, RUNS);
		assert_ptr_equal(cpus[i].vcpu->cpu.start, &starts[i]);
	}
	assert_int_equal(inits + sipis, 0);
}

static void one_that_is_not_taken_stops_the_boot(void **state)
{
	static struct l1_start starts[2];

	(void)state;
	machine(2);
	take_ids(2, 0);
	taken_work = NEVER;
	if (!setjmp(stopped)) {
		processors_take(others, 2, starts, &door);
		fail();
	}
	assert_int_equal(inits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_fit),
		TEST(a_place_is_one_processors),
		TEST(late_ones_stay_outside),
		TEST(some_are_lost_before_they_start),
		TEST(slow_ones_are_waited_for),
		TEST(one_that_hangs_stops_the_boot),
		TEST(one_that_is_given_up_does_not_begin),
		TEST(those_amid_the_firmware_are_taken),
		TEST(one_that_is_not_taken_stops_the_boot),
	};

	return cmocka_run_group_tests_name("processors_start", tests, NULL, NULL);
}
