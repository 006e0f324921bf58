/*
 * boot/processors.c on a machine whose processors act when L0 looks at the clock, for one file of a
 * test program. Relies on cmocka and tests/unit/arena.h.
 */
#ifndef TESTS_UNIT_PROCESSORS_RIG_H
#define TESTS_UNIT_PROCESSORS_RIG_H

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
        "ap_begin: .zero 100\n"
        "ap_taken: .zero 100\n"
        "ap_data: .zero 64\n"
        "ap_end: .zero 8\n"
        "	.text\n");
const char gdt[8];
char image_base[8];
__asm__(".globl image_end\n.set image_end, image_base + 8");
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

static inline struct ap_data *data(void)
{
	return data_at(PAGE);
}

/* The end of what machine_join() does before it waits. */
static inline void become_host(struct cpu *cpu)
{
	coming--;
	cpu->vcpu->cpu.join = JOIN_DONE;
	cpu->state = RUNS;
}

/* What boot/ap.asm does, and the beginning of machine_join(). */
static inline void come(struct cpu *cpu)
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

static inline void get(struct cpu *cpu, uint32_t command)
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

void merged_maps_init(struct merged_maps *maps, const uint64_t *l0, unsigned int pages,
                      unsigned int count)
{
	(void)maps;
	(void)l0;
	(void)pages;
	(void)count;
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
static inline void machine(unsigned int others)
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

static inline int setup(void **state)
{
	(void)state;
	arena_new_flat();
	return 0;
}

static inline int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static uint32_t *others;

static inline void assert_page_is_back(void)
{
	const uint8_t *page = at(PAGE);

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0x5a);
}

/* told: ids from 0 on. None is in the page afterwards, and nobody waits for longer than ms. */
static inline unsigned int find(unsigned int told, unsigned int ms)
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

/* In L0's memory, from this page of the heap on; those with ids up to count. */
static inline void take_ids(unsigned int count, unsigned int page)
{
	others = at(LIST);
	for (unsigned int i = 0; i < count; i++)
		others[i] = i + 1;
	heap_init(HEAP + (uint64_t)page * PAGE_SIZE, processors_heap_pages(count) * PAGE_SIZE);
}

static inline void start(unsigned int count)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, done)

#endif
