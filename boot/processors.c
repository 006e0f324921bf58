/*
 * INIT and SIPI to the machine's further processors: once to all, to know them, then to each.
 * Relies on boot/ap.asm for what they execute, on hv/paging.h for mapping that one to one
 * meanwhile.
 */
#include "boot/processors.h"
#include "hv/delay.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/paging.h"
#include "hv/phys.h"
#include "hv/stack.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/start/machine.h"
#include "svm/cpus/processors.h"

enum {
	STACK_PAGES = STACK_SIZE / PAGE_SIZE,
	INIT_MS = 10,   /* between INIT and SIPI: the MultiProcessor Specification, B.4 */
	SIPI_MS = 2,    /* before the second one */
	JOIN_MS = 5000, /* an emulated processor may be slow to begin */
	MORE_MS = 10, /* for those that the firmware does not tell of, behind those that it does */
	UNTOLD_MS = 1000, /* ... where it tells of none */
	GDT_LIMIT = 31,

	ARRIVED_AT = 2048, /* in boot/ap.asm's page: ids of those that are not wanted */
	ARRIVED_MAX = (PAGE_SIZE - ARRIVED_AT) / sizeof(uint32_t),
};
#define NOBODY 0xffffffffu /* an id that no processor has: it means all */

/* boot/ap.asm */
struct ap_data {
	uint16_t gdt_limit;
	uint32_t gdt_hpa;
	uint32_t to32;
	uint16_t code32;
	uint32_t to64;
	uint16_t code64;
	uint32_t cr3, cr4;
	uint64_t stack;
	uint32_t wanted, id_leaf, arrivals;
} __attribute__((packed));
_Static_assert(offsetof(struct ap_data, to64) == 12, "boot/ap.asm");
_Static_assert(offsetof(struct ap_data, stack) == 26, "boot/ap.asm");
_Static_assert(offsetof(struct ap_data, arrivals) == 42, "boot/ap.asm");

extern const char ap_begin[], ap_data[], ap_end[];
extern const char gdt[];

static uint8_t before[PAGE_SIZE]; /* what was in the page below 1 MiB */

uint64_t processors_heap_pages(unsigned int others)
{
	return others ? others * (machine_vcpu_pages() + STACK_PAGES) + STACK_PAGES - 1 : 0;
}

static volatile uint32_t *arrived_at(uint64_t page)
{
	return phys(page + ARRIVED_AT);
}

static struct ap_data *data_at(uint64_t page)
{
	return phys(page + (uint64_t)(ap_data - ap_begin));
}

static void prepare_page(uint64_t page)
{
	struct ap_data *data = data_at(page);

	memcpy(before, phys(page), PAGE_SIZE);
	memset(phys(page), 0xff, PAGE_SIZE);
	memcpy(phys(page), ap_begin, (size_t)(ap_end - ap_begin));
	data->gdt_limit = GDT_LIMIT;
	data->gdt_hpa = (uint32_t)hpa_of(gdt);
	data->to32 += (uint32_t)page;
	data->to64 += (uint32_t)page;
	data->cr3 = (uint32_t)read_cr3();
	data->cr4 = (uint32_t)read_cr4();
	data->wanted = NOBODY;
	data->id_leaf = lapic_id_leaf();
}

static void put_back(uint64_t page)
{
	memcpy(phys(page), before, PAGE_SIZE);
}

static uint32_t sipi_to(uint64_t page)
{
	return ICR_STARTUP | (uint32_t)(page >> PAGE_SHIFT);
}

/* Each slot is filled once: the first that is free ends them. */
static unsigned int arrived(uint64_t page, unsigned int from)
{
	while (from < ARRIVED_MAX && arrived_at(page)[from] != NOBODY)
		from++;
	return from;
}

/* Waits until so many have arrived, or until nobody has for a time. Returns how many have. */
static unsigned int wait_for_arrivals(uint64_t page, unsigned int enough, unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();
	unsigned int count = arrived(page, 0);

	while (count < enough && rdtsc() - begin <= ticks) {
		unsigned int now = arrived(page, count);

		if (now != count)
			begin = rdtsc();
		count = now;
		cpu_relax();
	}
	return count;
}

static bool is_in(uint32_t id, const uint32_t *ids, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Those that have arrived, each once. */
static unsigned int list_arrivals(uint64_t page, unsigned int arrivals, uint32_t *others)
{
	unsigned int count = 0;
	bool more = false;

	for (unsigned int i = 0; i < arrivals; i++) {
		uint32_t id = arrived_at(page)[i];

		if (is_in(id, others, count))
			continue;
		if (!lapic_reaches(id))
			log_info("the processor with APIC id %u needs x2APIC mode: left out", id);
		else if (count == PROCESSORS_MAX - 1)
			more = true;
		else
			others[count++] = id;
	}
	if (more)
		log_info("more than %u processors: the others are left out",
		         (unsigned int)PROCESSORS_MAX);
	return count;
}

static void tell_missing(const uint32_t *told, unsigned int told_count, uint64_t page,
                         unsigned int arrivals)
{
	uint32_t self = lapic_initial_id();

	for (unsigned int i = 0; i < told_count; i++) {
		bool here = told[i] == self;

		for (unsigned int slot = 0; slot < arrivals; slot++)
			here |= arrived_at(page)[slot] == told[i];
		if (!here)
			log_info("the processor with APIC id %u does not answer: left out",
			         told[i]);
	}
}

unsigned int processors_find(const uint32_t *told, unsigned int told_count, uint64_t page,
                             uint32_t *others)
{
	unsigned int enough = told_count ? told_count - 1 : ARRIVED_MAX, arrivals, count;

	prepare_page(page);
	lapic_send_others(ICR_INIT);
	delay_ms(INIT_MS);
	lapic_send_others(sipi_to(page));
	if (wait_for_arrivals(page, enough, SIPI_MS) < enough) {
		lapic_send_others(sipi_to(page));
		if (told_count)
			wait_for_arrivals(page, enough, JOIN_MS);
	}
	arrivals = wait_for_arrivals(page, ARRIVED_MAX, told_count ? MORE_MS : UNTOLD_MS);
	lapic_send_others(ICR_INIT); /* none may be in the page when it is gone */
	tell_missing(told, told_count, page, arrivals);
	count = list_arrivals(page, arrivals, others);
	put_back(page);
	return count;
}

static bool arrives(const struct vcpu *vcpu, unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();

	while (!__atomic_load_n(&vcpu->cpu.arrived, __ATOMIC_ACQUIRE)) {
		if (rdtsc() - begin > ticks)
			return false;
		cpu_relax();
	}
	return true;
}

static void start_one(uint32_t id, struct stack_base *stack, uint64_t page)
{
	struct ap_data *data = data_at(page);
	struct vcpu *vcpu = machine_new_vcpu(id);

	stack->processor = vcpu;
	data->stack = (uint64_t)(uintptr_t)stack + STACK_SIZE;
	data->wanted = id;
	lapic_send(id, ICR_INIT);
	delay_ms(INIT_MS);
	lapic_send(id, sipi_to(page));
	if (!arrives(vcpu, SIPI_MS)) {
		lapic_send(id, sipi_to(page));
		if (!arrives(vcpu, JOIN_MS)) {
			lapic_send(id, ICR_INIT); /* it must not begin when the page is gone */
			log_info("the processor with APIC id %u does not answer: left out", id);
			return;
		}
	}
	processors_add(vcpu);
}

/* None may be in the page when it is gone: those that were slower than processors_find(). */
static void park_late(uint64_t page)
{
	unsigned int count = arrived(page, 0);

	for (unsigned int i = 0; i < count; i++) {
		uint32_t id = arrived_at(page)[i];

		log_info("the processor with APIC id %u comes too late: left out", id);
		if (lapic_reaches(id))
			lapic_send(id, ICR_INIT);
	}
}

unsigned int processors_start(const uint32_t *others, unsigned int count, uint64_t page)
{
	char *stacks = heap_aligned((uint64_t)count * STACK_PAGES, STACK_SIZE);

	prepare_page(page);
	paging_remember_identity();
	for (unsigned int i = 0; i < count; i++)
		start_one(others[i], (struct stack_base *)(void *)(stacks + (size_t)i * STACK_SIZE),
		          page);
	park_late(page);
	paging_forget_identity();
	put_back(page);
	return vcpu_count();
}
