/*
 * L1's memory as L0 sees it. L1's gpas are hpas, except for L0's own memory. Relies on
 * svm/memory/memory_types.h for the types that no large page may mix, on svm/apic/apic.h for pages
 * that L1 only reads.
 */
#include "svm/memory/l1_memory.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/features.h"
#include "svm/memory/memory_types.h"

static struct l1_memory_range ranges[L1_MAX_RANGES];
static unsigned int range_count;
static struct l1_memory_range code[L1_MAX_RANGES];
static unsigned int code_count;
static struct l1_memory_range hidden[L1_HIDDEN];
static unsigned int hidden_count;

/* What L1 finds where L0's memory is: a page of ones at first, and nobody's. */
static uint8_t sink[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

void l1_memory_hide(uint64_t base, uint64_t size)
{
	if (size)
		hidden[hidden_count++] = (struct l1_memory_range){base, base + size};
	memset(sink, 0xff, sizeof(sink));
}

void l1_memory_add(uint64_t base, uint64_t size)
{
	uint64_t end = (base + size) & ~(uint64_t)(PAGE_SIZE - 1);

	base = (base + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	if (base < end && range_count < L1_MAX_RANGES)
		ranges[range_count++] = (struct l1_memory_range){base, end};
}

void l1_code_add(uint64_t base, uint64_t size)
{
	uint64_t end = (base + size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);

	base &= ~(uint64_t)(PAGE_SIZE - 1);
	if (base < end && code_count < L1_MAX_RANGES)
		code[code_count++] = (struct l1_memory_range){base, end};
}

void l1_memory_ready(void)
{
	for (unsigned int i = 1; i < range_count; i++) {
		struct l1_memory_range range = ranges[i];
		unsigned int at = i;

		for (; at && ranges[at - 1].end - ranges[at - 1].base < range.end - range.base;
		     at--)
			ranges[at] = ranges[at - 1];
		ranges[at] = range;
	}
}

void *l1_page(void *context, uint64_t gpa)
{
	(void)context;
	for (unsigned int i = 0; i < range_count; i++) {
		if (gpa >= ranges[i].base && gpa < ranges[i].end)
			return phys(gpa);
	}
	return NULL;
}

const void *l1_code_page(uint64_t gpa)
{
	const void *page = l1_page(NULL, gpa);

	for (unsigned int i = 0; i < code_count && !page; i++) {
		if (gpa >= code[i].base && gpa < code[i].end && phys_reaches(gpa) &&
		    !l1_memory_hidden(gpa, PAGE_SIZE))
			page = phys(gpa);
	}
	return page;
}

bool l1_memory_hidden(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < hidden_count; i++) {
		if (overlap(hidden[i].base, hidden[i].end - hidden[i].base, gpa, size))
			return true;
	}
	return false;
}

uint64_t l1_sink_hpa(void)
{
	return hpa_of(sink);
}

struct host_mapping l1_map(void *context, uint64_t gpa)
{
	struct host_mapping mapping = {.hpa = gpa, .level = 3};
	uint64_t page = gpa & ~(uint64_t)(PAGE_SIZE - 1);

	(void)context;
	/*
	 * Beyond the width an address may be another name of L0's memory: features.phys_bits. Nor
	 * has a guest of 32-bit L0 anything above 4 GiB.
	 */
	if (gpa >> features.phys_bits || (PHYS_BITS_MOST < 64 && gpa >= SIZE_4G) ||
	    l1_memory_hidden(page, PAGE_SIZE))
		return (struct host_mapping){.hpa = l1_sink_hpa(), .level = 1};
	for (; mapping.level > 1; mapping.level--) {
		uint64_t size = 1ull << shadow_shift(mapping.level);
		uint64_t base = gpa & ~(size - 1);

		if (!l1_memory_hidden(base, size) && !apic_covers(base, size) &&
		    memory_type_of(base, size, &mapping))
			return mapping;
	}
	memory_type_of(page, PAGE_SIZE, &mapping);
	mapping.read_only = apic_covers(page, PAGE_SIZE);
	mapping.hidden = apic_hides(page, PAGE_SIZE);
	return mapping;
}
