/*
 * boot/processors.c: which processors are found, whatever is told of them, how long that takes, and
 * how much of the heap they take. The machine has processors that act when L0 looks at the clock.
 * Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/image.h"
#include "hv/x86.h"
#include "tests/unit/arena.h"

static uint64_t fake_rdtsc(void);
static uint64_t zero(void);
#define rdtsc    fake_rdtsc
#define read_cr3 zero
#define read_cr4 zero
#include "boot/processors.c"
#include "hv/memory.c"
#include "svm/start/new_vcpu.c"

/* boot/ap.asm's page is not executed. */
__asm__("	.data\n"
        "ap_begin: .zero 200\n"
        "ap_data: .zero 64\n"
        "ap_end: .zero 8\n"
        "	.text\n");
const char gdt[8];
char image_base[8];
uint64_t iopm01[IOPM_SIZE / sizeof(uint64_t)];

enum { MAX = 320, MS = 16, PAGE = 0x9e000, NEVER = -1 };
#define HEAP 0x10000000ull

enum state { WAITS, COMES, RUNS, PARKED };

static struct cpu {
	uint32_t id;
	int delay; /* ms from SIPI on; NEVER: it does not answer */
	enum state state;
	uint64_t comes_at;
} cpus[MAX];
static unsigned int cpu_total;
static uint64_t now;
static bool x2apic;
static unsigned int inits, lines, joined;

static struct ap_data *data(void)
{
	return data_at(PAGE);
}

/* What boot/ap.asm does. */
static void come(struct cpu *cpu)
{
	struct stack_base *stack;
	struct vcpu *vcpu;

	if (data()->wanted != cpu->id) {
		unsigned int slot = data()->arrivals++;

		if (slot < ARRIVED_MAX)
			arrived_at(PAGE)[slot] = cpu->id;
		cpu->state = PARKED;
		return;
	}
	assert_int_equal((data()->stack - (uintptr_t)at(0)) % STACK_SIZE, 0);
	stack = (struct stack_base *)(uintptr_t)(data()->stack - STACK_SIZE);
	vcpu = stack->processor;
	assert_int_equal(vcpu->cpu.apic_id, cpu->id);
	vcpu->cpu.arrived = true;
	cpu->state = RUNS;
}

static uint64_t fake_rdtsc(void)
{
	now++;
	for (unsigned int i = 0; i < cpu_total; i++) {
		if (cpus[i].state == COMES && cpus[i].comes_at <= now)
			come(&cpus[i]);
	}
	return now;
}

static uint64_t zero(void)
{
	return 0;
}

uint64_t ticks_per_ms(void)
{
	return MS;
}

void delay_ms(unsigned int ms)
{
	uint64_t end = now + (uint64_t)ms * MS;

	while (fake_rdtsc() < end)
		;
}

static void get(struct cpu *cpu, uint32_t command)
{
	if (command == ICR_INIT) {
		cpu->state = WAITS;
		return;
	}
	assert_int_equal(command, ICR_STARTUP | PAGE >> PAGE_SHIFT);
	if (cpu->state != WAITS || cpu->delay == NEVER)
		return;
	cpu->state = COMES;
	cpu->comes_at = now + (uint64_t)cpu->delay * MS;
}

void lapic_send_others(uint32_t command)
{
	inits += command == ICR_INIT;
	for (unsigned int i = 0; i < cpu_total; i++)
		get(&cpus[i], command);
}

void lapic_send(uint32_t id, uint32_t command)
{
	for (unsigned int i = 0; i < cpu_total; i++) {
		if (cpus[i].id == id)
			get(&cpus[i], command);
	}
}

uint32_t lapic_initial_id(void)
{
	return 0;
}

uint32_t lapic_id_leaf(void)
{
	return 1;
}

bool lapic_reaches(uint32_t id)
{
	return x2apic || id < 255;
}

void processors_add(struct vcpu *vcpu)
{
	assert_true(vcpu->cpu.arrived);
	joined++;
}

unsigned int vcpu_count(void)
{
	return joined + 1;
}

void paging_remember_identity(void)
{
}

void paging_forget_identity(void)
{
}

void msr_init_map(struct vcpu *vcpu)
{
	assert_non_null(vcpu->msrpm01);
}

void log_info(const char *format, ...)
{
	(void)format;
	lines++;
}

void panic(const char *format, ...)
{
	fail_msg("%s", format);
	__builtin_unreachable();
}

/* The others have ids from 1 on and come at once. */
static void machine(unsigned int others)
{
	assert_true(others <= MAX);
	cpu_total = others;
	for (unsigned int i = 0; i < others; i++)
		cpus[i] = (struct cpu){.id = i + 1, .state = PARKED};
	now = inits = lines = joined = 0;
	x2apic = false;
	memset(at(PAGE), 0x5a, PAGE_SIZE);
}

static int setup(void **state)
{
	(void)state;
	arena_new_flat();
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static uint32_t others[PROCESSORS_MAX];

static void assert_page_is_back(void)
{
	const uint8_t *page = at(PAGE);

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0x5a);
}

/* told: ids from 0 on. None is in the page afterwards, and nobody waits for longer than ms. */
static unsigned int find(unsigned int told, unsigned int ms)
{
	uint32_t ids[PROCESSORS_MAX];
	unsigned int count;

	for (unsigned int i = 0; i < told; i++)
		ids[i] = i;
	others[PROCESSORS_MAX - 1] = 0xdeadbeef;
	count = processors_find(ids, told, PAGE, others);
	assert_int_equal(others[PROCESSORS_MAX - 1], 0xdeadbeef);
	for (unsigned int i = 0; i < cpu_total; i++)
		assert_int_equal(cpus[i].state, WAITS);
	assert_page_is_back();
	assert_true(now <= (uint64_t)ms * MS);
	assert_int_equal(inits, 2);
	return count;
}

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
	machine(MAX);
	x2apic = true;
	assert_int_equal(find(PROCESSORS_MAX, 2000), PROCESSORS_MAX - 1);
	assert_int_equal(lines, 1);
}

static void start(unsigned int count)
{
	unsigned int lines_before = lines;

	assert_int_equal(processors_start(others, count, PAGE), count + 1);
	assert_int_equal(lines, lines_before);
	for (unsigned int i = 0; i < cpu_total; i++)
		assert_int_equal(cpus[i].state, RUNS);
	assert_page_is_back();
}

/* Wherever the heap begins: what is asked for is enough, and none of it too much at the worst. */
static void they_fit(void **state)
{
	enum { WORST = 1 };

	(void)state;
	for (unsigned int count = 0; count < PROCESSORS_MAX; count++) {
		uint64_t bytes = processors_heap_pages(count) * PAGE_SIZE;

		for (unsigned int page = 0; page < STACK_PAGES; page++) {
			if (page != WORST && count > STACK_PAGES)
				continue;
			machine(count);
			for (unsigned int i = 0; i < count; i++)
				others[i] = i + 1;
			heap_init(HEAP + (uint64_t)page * PAGE_SIZE, bytes);
			if (count)
				start(count);
			if (count && page == WORST)
				assert_true(heap_next == heap_end);
		}
	}
}

static void late_ones_stay_outside(void **state)
{
	(void)state;
	machine(3);
	others[0] = 1;
	others[1] = 2;
	for (unsigned int i = 0; i < 3; i++)
		cpus[i].state = WAITS;
	get(&cpus[2], ICR_STARTUP | PAGE >> PAGE_SHIFT); /* as if from processors_find() */
	heap_init(HEAP, processors_heap_pages(2) * PAGE_SIZE);
	assert_int_equal(processors_start(others, 2, PAGE), 3);
	assert_true(cpus[0].state == RUNS && cpus[1].state == RUNS);
	assert_int_equal(cpus[2].state, WAITS);
	assert_int_equal(lines, 1);
	assert_page_is_back();
}

static void one_is_lost_before_it_starts(void **state)
{
	(void)state;
	machine(2);
	others[0] = 1;
	others[1] = 2;
	cpus[0].delay = NEVER;
	heap_init(HEAP, processors_heap_pages(2) * PAGE_SIZE);
	assert_int_equal(processors_start(others, 2, PAGE), 2);
	assert_int_equal(cpus[1].state, RUNS);
	assert_int_equal(lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_those_that_are_told, setup, done),
		cmocka_unit_test_setup_teardown(finds_those_that_are_not, setup, done),
		cmocka_unit_test_setup_teardown(some_do_not_answer, setup, done),
		cmocka_unit_test_setup_teardown(each_counts_once, setup, done),
		cmocka_unit_test_setup_teardown(more_than_there_may_be, setup, done),
		cmocka_unit_test_setup_teardown(they_fit, setup, done),
		cmocka_unit_test_setup_teardown(late_ones_stay_outside, setup, done),
		cmocka_unit_test_setup_teardown(one_is_lost_before_it_starts, setup, done),
	};

	return cmocka_run_group_tests_name("processors", tests, NULL, NULL);
}
