/*
 * INIT and SIPI to the machine's further processors. Relies on boot/ap.asm for what they execute,
 * and on hv/paging.h for mapping that one to one meanwhile.
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
#include "svm/machine.h"
#include "svm/processors.h"

enum {
	STACK_PAGES = STACK_SIZE / PAGE_SIZE,
	INIT_MS = 10,   /* between INIT and SIPI: the MultiProcessor Specification, B.4 */
	SIPI_MS = 2,    /* before the second one */
	JOIN_MS = 5000, /* an emulated processor may be slow to begin */
	GDT_LIMIT = 31,
};

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
} __attribute__((packed));
_Static_assert(offsetof(struct ap_data, to64) == 12, "boot/ap.asm");
_Static_assert(offsetof(struct ap_data, stack) == 26, "boot/ap.asm");

extern const char ap_begin[], ap_data[], ap_end[];
extern const char gdt[];

uint64_t processor_pages(void)
{
	return machine_vcpu_pages() + STACK_PAGES;
}

static void prepare_page(uint64_t page, uint64_t stack_top)
{
	struct ap_data *data = phys(page + (uint64_t)(ap_data - ap_begin));

	memcpy(phys(page), ap_begin, (size_t)(ap_end - ap_begin));
	data->gdt_limit = GDT_LIMIT;
	data->gdt_hpa = (uint32_t)hpa_of(gdt);
	data->to32 += (uint32_t)page;
	data->to64 += (uint32_t)page;
	data->cr3 = (uint32_t)read_cr3();
	data->cr4 = (uint32_t)read_cr4();
	data->stack = stack_top;
}

static bool arrives(const struct vcpu *vcpu, unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();

	while (!__atomic_load_n(&vcpu->arrived, __ATOMIC_ACQUIRE)) {
		if (rdtsc() - begin > ticks)
			return false;
		cpu_relax();
	}
	return true;
}

static void start_one(uint32_t id, uint64_t page)
{
	uint32_t sipi = ICR_STARTUP | (uint32_t)(page >> PAGE_SHIFT);
	struct stack_base *stack;
	struct vcpu *vcpu;

	if (!lapic_reaches(id)) {
		log_info("the processor with APIC id %u needs x2APIC mode: left out", id);
		return;
	}
	stack = heap_aligned(STACK_PAGES, STACK_SIZE);
	vcpu = machine_new_vcpu(id);
	stack->processor = vcpu;
	prepare_page(page, (uint64_t)(uintptr_t)stack + STACK_SIZE);
	lapic_send(id, ICR_INIT);
	delay_ms(INIT_MS);
	lapic_send(id, sipi);
	if (!arrives(vcpu, SIPI_MS)) {
		lapic_send(id, sipi);
		if (!arrives(vcpu, JOIN_MS)) {
			lapic_send(id, ICR_INIT); /* it must not begin when the page is gone */
			log_info("the processor with APIC id %u does not answer: left out", id);
			return;
		}
	}
	processors_add(vcpu);
}

unsigned int processors_start(const uint32_t *ids, unsigned int count, uint64_t page)
{
	static uint8_t before[PAGE_SIZE];
	uint32_t self = lapic_initial_id();

	memcpy(before, phys(page), PAGE_SIZE);
	paging_remember_identity();
	for (unsigned int i = 0; i < count; i++) {
		if (ids[i] != self)
			start_one(ids[i], page);
	}
	paging_forget_identity();
	memcpy(phys(page), before, PAGE_SIZE);
	return vcpu_count();
}
