/*
 * boot/processors.c: which processors are found, whatever is told of them, and how long that takes.
 */
#include "tests/unit/processors_rig.h"

static void finds_those_that_are_told(void **state)
{
	(void)state;
	machine(0);
	assert_int_equal(find(1, 25), 0);
	machine(3);
	assert_int_equal(find(4, 25), 3);
	assert_true(others[0] == 1 && others[1] == 2 && others[2] == 3);
	machine(3);
	cpus[1].delay = 3000; /* slow, but told */
	assert_int_equal(find(4, 3050), 3);
	assert_int_equal(lines, 0);
}

static void finds_those_that_are_not(void **state)
{
	(void)state;
	machine(2);
	cpus[1].delay = 700; /* no table at all: who knows how many there are? */
	assert_int_equal(find(0, 1800), 2);
	machine(3);
	assert_int_equal(find(2, 25), 3); /* one of them is told */
	machine(1);
	assert_int_equal(find(1, 25), 1);
	assert_int_equal(lines, 0);
}

static void some_do_not_answer(void **state)
{
	(void)state;
	machine(3);
	cpus[1].delay = NEVER;
	assert_int_equal(find(4, 5100), 2);
	assert_true(others[0] == 1 && others[1] == 3);
	assert_int_equal(lines, 1);
	machine(0);
	assert_int_equal(find(3, 5100), 0);
	assert_int_equal(lines, 2);
}

static void each_counts_once(void **state)
{
	(void)state;
	machine(3);
	cpus[2].id = 1; /* an id that two say */
	assert_int_equal(find(0, 1200), 2);
	machine(3);
	cpus[2].id = 300;
	assert_int_equal(find(0, 1200), 2);
	assert_int_equal(lines, 1);
	machine(3);
	cpus[2].id = 300;
	x2apic = true;
	assert_int_equal(find(0, 1200), 3);
	assert_int_equal(others[2], 300);
}

static void more_than_there_may_be(void **state)
{
	(void)state;
	machine(PROCESSORS_MAX);
	x2apic = true;
	assert_int_equal(find(PROCESSORS_MAX, 2000), PROCESSORS_MAX - 1);
	assert_int_equal(lines, 1);
	machine(MAX);
	x2apic = true;
	assert_int_equal(find(PROCESSORS_MAX, 2000), PROCESSORS_MAX - 1);
	assert_int_equal(lines, 2); /* one by its id, and how many others */
	machine(MAX);
	assert_int_equal(find(PROCESSORS_MAX, 2000), 254); /* the last has the id 254 */
	assert_int_equal(lines, TELL_MOST + 1);
}

/* From 1 to 4,096 in all: found and started in the same time, with two or three SIPIs each. */
static void any_number_of_them(void **state)
{
	(void)state;
	light = calloc(PROCESSORS_MAX, sizeof(*light));
	assert_non_null(light);
	for (unsigned int count = 1; count < PROCESSORS_MAX; count += count < 20    ? 1
	                                                              : count < 250 ? 57
	                                                              : count < 260 ? 1
	                                                                            : 767) {
		if (count > PROCESSORS_MAX - 767)
			count = PROCESSORS_MAX - 1;
		machine(count);
		x2apic = true;
		assert_int_equal(find(count + 1, 25), count);
		assert_int_equal(lines, 0);
		for (unsigned int i = 0; i < count; i++)
			assert_int_equal(others[i], i + 1);
		heap_init(HEAP, processors_heap_pages(count) * PAGE_SIZE);
		light_used = sipis = 0;
		start(count);
		assert_true(sipis <= 2 * count);
	}
	free(light);
	light = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_those_that_are_told), TEST(finds_those_that_are_not),
		TEST(some_do_not_answer),        TEST(each_counts_once),
		TEST(more_than_there_may_be),    TEST(any_number_of_them),
	};

	return cmocka_run_group_tests_name("processors", tests, NULL, NULL);
}
