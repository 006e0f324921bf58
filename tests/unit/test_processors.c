/*
 * boot/processors.c: which processors are found, whatever is told of them, how long that takes, and
 * how much of the heap they take. The machine has processors that act when L0 looks at the clock.
 * Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
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
#define hpa_of window_hpa_of
#include "hv/memory.c"
#undef hpa_of
#define machine_new_vcpu whole_vcpu
#include "svm/start/new_vcpu.c"
#undef machine_new_vcpu

/* boot/ap.asm's page is not executed. */
__asm__("	.data\n"
        "ap_begin: .zero 200\n"
        "ap_data: .zero 64\n"
        "ap_end: .zero 8\n"
        "	.text\n");
const char gdt[8];
char image_base[8];
uint64_t iopm01[IOPM_SIZE / sizeof(uint64_t)];

enum {
	MAX = PROCESSORS_MAX + 20,
	MS = 16,
	PAGE = 0x9e000,
	LIST = 0x200000,
	LIST_END = LIST + PROCESSORS_MAX * 4,
	NEVER = -1
};
#define HEAP 0x10000000ull

enum state { WAITS, COMES, BEGINS, RUNS, PARKED, HALTED /* in L0: it had been given up */ };

static struct cpu {
	uint32_t id;
	int delay; /* ms from SIPI on; NEVER: it does not answer */
	int work;  /* ... from there on until it is a host; NEVER: it hangs */
	enum state state;
	uint64_t comes_at;
	struct vcpu *vcpu;
} cpus[MAX];
static unsigned int cpu_total, coming;
static uint64_t now;
static bool x2apic;
static unsigned int inits, sipis, lines, joined;
static struct cpu *overtakes; /* it comes when INIT is on its way */
static jmp_buf stopped;
static struct vcpu *light; /* vcpus without what belongs to them, where there are very many */
static unsigned int light_used;

static struct ap_data *data(void)
{
	return data_at(PAGE);
}

/* The end of what machine_join() does before it waits. */
static void become_host(struct cpu *cpu)
{
	coming--;
	cpu->vcpu->cpu.join = JOIN_DONE;
	cpu->state = RUNS;
}

/* What boot/ap.asm does, and the beginning of machine_join(). */
static void come(struct cpu *cpu)
{
	uint32_t *ids = at(data()->ids), *arrived_ids = at(data()->arrived), slot;
	struct stack_base *stack;
	struct vcpu *vcpu;
	unsigned int place = 0;

	coming--;
	while (place < data()->id_count && ids[place] != cpu->id)
		place++;
	if (place == data()->id_count) {
		slot = data()->arrivals++;
		if (slot < data()->arrived_max)
			arrived_ids[slot] = cpu->id;
		cpu->state = PARKED;
		return;
	}
	ids[place] = NOBODY;
	assert_int_equal((data()->stacks - (uintptr_t)at(0)) % STACK_SIZE, 0);
	stack = (struct stack_base *)(uintptr_t)(data()->stacks + (uint64_t)place * STACK_SIZE);
	vcpu = stack->processor;
	assert_int_equal(vcpu->cpu.apic_id, cpu->id);
	cpu->vcpu = vcpu;
	if (!join_decide(vcpu, JOIN_BEGUN)) {
		cpu->state = HALTED;
		return;
	}
	cpu->state = BEGINS;
	cpu->comes_at = now + (uint64_t)cpu->work * MS;
	coming += cpu->work != NEVER;
	if (!cpu->work)
		become_host(cpu);
}

struct vcpu *machine_new_vcpu(uint32_t id)
{
	struct vcpu *vcpu = light ? &light[light_used++] : whole_vcpu(id);

	vcpu->cpu.apic_id = id;
	vcpu->cpu.join = JOIN_EXPECTED;
	return vcpu;
}

static uint64_t fake_rdtsc(void)
{
	now++;
	for (unsigned int i = 0; i < cpu_total && coming; i++) {
		if (cpus[i].state == COMES && cpus[i].comes_at <= now)
			come(&cpus[i]);
		if (cpus[i].state == BEGINS && cpus[i].work != NEVER && cpus[i].comes_at <= now)
			become_host(&cpus[i]);
	}
	return now;
}

uint64_t hpa_of(const void *address)
{
	return (uint64_t)((const char *)address - (const char *)at(0));
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
		assert_int_not_equal(cpu->state, BEGINS); /* it may have a lock */
		if (cpu == overtakes && cpu->state == COMES)
			come(cpu);
		coming -= cpu->state == COMES;
		cpu->state = WAITS;
		return;
	}
	assert_int_equal(command, ICR_STARTUP | PAGE >> PAGE_SHIFT);
	sipis++;
	if (cpu->state != WAITS || cpu->delay == NEVER)
		return;
	cpu->state = COMES;
	coming++;
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
	assert_true(lapic_reaches(id));
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
	assert_int_equal(vcpu->cpu.join, JOIN_DONE);
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

void stop(const char *format, ...)
{
	assert_non_null(strstr(format, "hangs amid its start"));
	longjmp(stopped, 1);
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
	now = inits = sipis = lines = joined = coming = 0;
	x2apic = false;
	overtakes = NULL;
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

static uint32_t *others;

static void assert_page_is_back(void)
{
	const uint8_t *page = at(PAGE);

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0x5a);
}

/* told: ids from 0 on. None is in the page afterwards, and nobody waits for longer than ms. */
static unsigned int find(unsigned int told, unsigned int ms)
{
	static uint32_t ids[PROCESSORS_MAX + 1];
	unsigned int count;

	for (unsigned int i = 0; i < told; i++)
		ids[i] = i;
	put32(LIST_END, 0xdeadbeef);
	count = processors_find(ids, told, PAGE, LIST);
	others = at(LIST);
	assert_int_equal(get32(LIST_END), 0xdeadbeef);
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

/* In L0's memory, from this page of the heap on; those with ids up to count. */
static void take_ids(unsigned int count, unsigned int page)
{
	others = at(LIST);
	for (unsigned int i = 0; i < count; i++)
		others[i] = i + 1;
	heap_init(HEAP + (uint64_t)page * PAGE_SIZE, processors_heap_pages(count) * PAGE_SIZE);
}

static void start(unsigned int count)
{
	unsigned int lines_before = lines;
	uint64_t begin = now;

	assert_int_equal(processors_start(others, count, PAGE), count + 1);
	assert_int_equal(lines, lines_before);
	for (unsigned int i = 0; i < cpu_total; i++)
		assert_int_equal(cpus[i].state, RUNS);
	assert_page_is_back();
	/* All at once: the wait does not grow with them. */
	assert_true(now - begin <= 15ull * MS);
}

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
		cmocka_unit_test_setup_teardown(some_are_lost_before_they_start, setup, done),
		cmocka_unit_test_setup_teardown(slow_ones_are_waited_for, setup, done),
		cmocka_unit_test_setup_teardown(one_that_hangs_stops_the_boot, setup, done),
		cmocka_unit_test_setup_teardown(one_that_is_given_up_does_not_begin, setup, done),
		cmocka_unit_test_setup_teardown(a_place_is_one_processors, setup, done),
		cmocka_unit_test_setup_teardown(any_number_of_them, setup, done),
	};

	return cmocka_run_group_tests_name("processors", tests, NULL, NULL);
}
