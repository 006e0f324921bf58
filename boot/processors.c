/*
 * INIT and SIPI to the machine's further processors: once to all, to know them, then to those that
 * there is memory for, all at once. Relies on boot/ap.asm for what they execute, on hv/paging.h for
 * mapping that one to one meanwhile.
 */
#include "boot/processors.h"
#include "boot/ids.h"
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

	LATE_AT = 2048, /* in boot/ap.asm's page: ids of those that come when others are started */
	LATE_MAX = (PAGE_SIZE - LATE_AT) / sizeof(uint32_t),
	TELL_MOST = 8, /* of those that are left out, by name */
};
#define NOBODY 0xffffffffu /* an id that no processor has */

/* boot/ap.asm */
struct ap_data {
	uint16_t gdt_limit;
	uint32_t gdt_hpa;
	uint32_t to32;
	uint16_t code32;
	uint32_t to64;
	uint16_t code64;
	uint32_t cr3, cr4;
	uint64_t stacks;
	uint32_t ids, id_count;
	uint32_t arrived, arrived_max, arrivals;
	uint32_t id_leaf;
} __attribute__((packed));
_Static_assert(offsetof(struct ap_data, to64) == 12, "boot/ap.asm");
_Static_assert(offsetof(struct ap_data, stacks) == 26, "boot/ap.asm");
_Static_assert(offsetof(struct ap_data, arrivals) == 50, "boot/ap.asm");
_Static_assert(STACK_SIZE == 1 << 14, "boot/ap.asm");

extern const char ap_begin[], ap_taken[], ap_data[], ap_end[];
extern const char gdt[];

static uint8_t before[PAGE_SIZE];    /* what was in the page below 1 MiB */
static unsigned int told_of, untold; /* that are left out: with a line each, without one */

uint64_t processors_heap_pages(unsigned int others)
{
	return others ? others * (machine_vcpu_pages() + STACK_PAGES) + STACK_PAGES - 1 : 0;
}

static void leave_out(uint32_t id, const char *why)
{
	if (told_of == TELL_MOST) {
		untold++;
		return;
	}
	told_of++;
	log_info("the processor with APIC id %u %s: left out", id, why);
}

static void tell_untold(void)
{
	if (untold)
		log_info("%u more processors are left out", untold);
	told_of = untold = 0;
}

static struct ap_data *data_at(uint64_t page)
{
	return phys(page + (uint64_t)(ap_data - ap_begin));
}

/* Where processors arrive that are not among the wanted ones: a list of ids with room for max. */
struct arrivals {
	volatile uint32_t *ids;
	unsigned int max;
};

static void prepare_page(uint64_t page, uint64_t list, unsigned int max)
{
	struct ap_data *data = data_at(page);

	memcpy(before, phys(page), PAGE_SIZE);
	memcpy(phys(page), ap_begin, (size_t)(ap_end - ap_begin));
	memset(phys(list), 0xff, max * sizeof(uint32_t));
	data->gdt_limit = GDT_LIMIT;
	data->gdt_hpa = (uint32_t)hpa_of(gdt);
	data->to32 += (uint32_t)page;
	data->to64 += (uint32_t)page;
	data->cr3 = (uint32_t)read_cr3();
	data->cr4 = (uint32_t)read_cr4();
	data->arrived = (uint32_t)list;
	data->arrived_max = max;
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
static unsigned int arrived(const struct arrivals *list, unsigned int from)
{
	while (from < list->max && list->ids[from] != NOBODY)
		from++;
	return from;
}

/* Waits until so many have arrived, or until nobody has for a time. Returns how many have. */
static unsigned int wait_for_arrivals(const struct arrivals *list, unsigned int enough,
                                      unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();
	unsigned int count = arrived(list, 0);

	while (count < enough && rdtsc() - begin <= ticks) {
		unsigned int now = arrived(list, count);

		if (now != count)
			begin = rdtsc();
		count = now;
		cpu_relax();
	}
	return count;
}

/* Of those that have arrived, sorted, the ones that can be kicked, and no more than may be. */
static unsigned int choose(uint32_t *ids, unsigned int count)
{
	unsigned int chosen = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (!lapic_reaches(ids[i]))
			leave_out(ids[i], "needs x2APIC mode");
		else if (chosen == PROCESSORS_MAX - 1)
			leave_out(ids[i], "is one more than Nestling takes");
		else
			ids[chosen++] = ids[i];
	}
	return chosen;
}

unsigned int processors_find(const uint32_t *told, unsigned int told_count, uint64_t page,
                             uint64_t others)
{
	unsigned int enough = told_count ? told_count - 1 : PROCESSORS_MAX, count;
	struct arrivals list = {phys(others), PROCESSORS_MAX};
	uint32_t *ids = phys(others), self = lapic_initial_id();

	prepare_page(page, others, PROCESSORS_MAX);
	lapic_send_others(ICR_INIT);
	delay_ms(INIT_MS);
	lapic_send_others(sipi_to(page));
	if (wait_for_arrivals(&list, enough, SIPI_MS) < enough) {
		lapic_send_others(sipi_to(page));
		if (told_count)
			wait_for_arrivals(&list, enough, JOIN_MS);
	}
	count = wait_for_arrivals(&list, PROCESSORS_MAX, told_count ? MORE_MS : UNTOLD_MS);
	lapic_send_others(ICR_INIT); /* none may be in the page when it is gone */
	if (data_at(page)->arrivals > PROCESSORS_MAX)
		untold += data_at(page)->arrivals - PROCESSORS_MAX;
	put_back(page);
	count = ids_sort(ids, count);
	for (unsigned int i = 0; i < told_count; i++) {
		if (told[i] != self && !ids_have(ids, count, told[i]))
			leave_out(told[i], "does not answer");
	}
	count = choose(ids, count);
	tell_untold();
	return count;
}

/*
 * Those that are wanted have places: in the list of ids, where each takes its own, and among the
 * stacks, whose bases name their vcpus.
 */
struct places {
	uint32_t *ids;
	char *stacks;
	unsigned int count;
};

static struct stack_base *stack_of(const struct places *places, unsigned int place)
{
	return (void *)(places->stacks + (size_t)place * STACK_SIZE);
}

static struct vcpu *vcpu_of(const struct places *places, unsigned int place)
{
	return stack_of(places, place)->processor;
}

static bool has_come(const struct places *places, unsigned int place)
{
	return __atomic_load_n(&vcpu_of(places, place)->cpu.join, __ATOMIC_ACQUIRE) == JOIN_DONE;
}

static void send_to_rest(const struct places *places, uint32_t command)
{
	for (unsigned int i = 0; i < places->count; i++) {
		if (!has_come(places, i))
			lapic_send(vcpu_of(places, i)->cpu.apic_id, command);
	}
}

/* Waits until all have come, or until none has for a time. */
static bool wait_for_all(const struct places *places, unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();
	unsigned int count = 0;

	while (count < places->count && rdtsc() - begin <= ticks) {
		unsigned int now = 0;

		for (unsigned int i = 0; i < places->count; i++)
			now += has_come(places, i);
		if (now != count)
			begin = rdtsc();
		count = now;
		cpu_relax();
	}
	return count == places->count;
}

/*
 * Once it has begun it is L0 as this one is, and INIT could come amid a lock that it has taken: it
 * will come soon, as nothing is left that it would wait for.
 */
static void wait_until_joined(const struct places *places, unsigned int place)
{
	uint64_t begin = rdtsc(), ticks = JOIN_MS * ticks_per_ms();

	while (!has_come(places, place)) {
		if (rdtsc() - begin > ticks)
			stop("the processor with APIC id %u hangs amid its start: turn it off in "
			     "the firmware's setup (QEMU: SMP=1)",
			     vcpu_of(places, place)->cpu.apic_id);
		cpu_relax();
	}
}

/* False: it is given up. It must not be in the page when that is gone, but halt until SIPI. */
static bool comes_late(const struct places *places, unsigned int place)
{
	struct vcpu *vcpu = vcpu_of(places, place);

	if (join_decide(vcpu, JOIN_GIVEN_UP)) {
		lapic_send(vcpu->cpu.apic_id, ICR_INIT);
		leave_out(vcpu->cpu.apic_id, "does not answer");
		return false;
	}
	wait_until_joined(places, place);
	return true;
}

static void start_all(const struct places *places, uint64_t page)
{
	send_to_rest(places, ICR_INIT);
	delay_ms(INIT_MS);
	send_to_rest(places, sipi_to(page));
	if (wait_for_all(places, SIPI_MS))
		return;
	send_to_rest(places, sipi_to(page));
	wait_for_all(places, JOIN_MS);
}

/* None may be in the page when it is gone: those that were slower than processors_find(). */
static void park_late(uint64_t page)
{
	struct arrivals late = {phys(page + LATE_AT), LATE_MAX};
	unsigned int count = arrived(&late, 0);

	for (unsigned int i = 0; i < count; i++) {
		leave_out(late.ids[i], "comes too late");
		if (lapic_reaches(late.ids[i]))
			lapic_send(late.ids[i], ICR_INIT);
	}
}

/* Of the page and the places all but who comes, and how, is known. */
static void prepare_places(struct places *places, uint64_t page)
{
	struct ap_data *data = data_at(page);

	places->stacks = heap_aligned((uint64_t)places->count * STACK_PAGES, STACK_SIZE);
	for (unsigned int i = 0; i < places->count; i++)
		stack_of(places, i)->processor = machine_new_vcpu(places->ids[i]);
	prepare_page(page, page + LATE_AT, LATE_MAX);
	data->stacks = (uint64_t)(uintptr_t)places->stacks;
	data->ids = (uint32_t)hpa_of(places->ids);
	data->id_count = places->count;
	paging_remember_identity();
}

unsigned int processors_start(uint32_t *ids, unsigned int count, uint64_t page)
{
	struct places places = {.ids = ids, .count = count};

	prepare_places(&places, page);
	start_all(&places, page);
	for (unsigned int i = 0; i < count; i++) {
		if (has_come(&places, i) || comes_late(&places, i))
			processors_add(vcpu_of(&places, i));
	}
	park_late(page);
	tell_untold();
	paging_forget_identity();
	put_back(page);
	return vcpu_count();
}

void processors_take(uint32_t *ids, unsigned int count, const struct l1_start *starts,
                     const struct processors_door *door)
{
	struct places places = {.ids = ids, .count = count};

	prepare_places(&places, door->page);
	for (unsigned int i = 0; i < count; i++)
		vcpu_of(&places, i)->cpu.start = &starts[i];
	door->open(door->information, (uint32_t)(door->page + (uint64_t)(ap_taken - ap_begin)),
	           (uint32_t)door->page);
	wait_for_all(&places, JOIN_MS);
	for (unsigned int i = 0; i < count; i++) {
		wait_until_joined(&places, i);
		processors_add(vcpu_of(&places, i));
	}
	paging_forget_identity();
}
