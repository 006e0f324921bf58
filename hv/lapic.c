/*
 * This processor's local APIC. Relies on hv/apic.h for its registers.
 */
#include "hv/lapic.h"
#include "hv/x86.h"

enum {
	ISR_WORDS = 8,
	VECTORS = 256,
	XAPIC_BROADCAST = 0xff,
	SEND_PATIENCE = 1 << 20, /* reads of ICR; an interrupt takes a few */
	LEAF_FEATURES = 1,
	LEAF_TOPOLOGY = 0xb,
};
#define ADDRESS    0x000ffffffffff000ull
#define ECX_X2APIC (1u << 21)

static uint64_t page_now(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	return (base & APIC_BASE_X2APIC) ? APIC_NO_PAGE : base & ADDRESS;
}

uint64_t lapic_hpa(void)
{
	return rdmsr(MSR_APIC_BASE) & ADDRESS;
}

uint32_t lapic_id_leaf(void)
{
	if ((cpuid(LEAF_FEATURES, 0).ecx & ECX_X2APIC) && cpuid(0, 0).eax >= LEAF_TOPOLOGY)
		return LEAF_TOPOLOGY;
	return LEAF_FEATURES;
}

uint32_t lapic_initial_id(void)
{
	if (lapic_id_leaf() == LEAF_TOPOLOGY)
		return cpuid(LEAF_TOPOLOGY, 0).edx;
	return cpuid(LEAF_FEATURES, 0).ebx >> APIC_ID_SHIFT;
}

bool lapic_reaches(uint32_t id)
{
	return id < XAPIC_BROADCAST || (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC);
}

static void wait_until_sent(uint64_t page)
{
	for (unsigned int i = 0; (apic_read(page, APIC_ICR) & ICR_BUSY) && i < SEND_PATIENCE; i++)
		cpu_relax();
}

void lapic_send(uint32_t id, uint32_t command)
{
	uint64_t page = page_now();
	uint32_t high;

	command |= ICR_ASSERT;
	if (page == APIC_NO_PAGE) {
		wrmsr(X2APIC_MSR(APIC_ICR), (uint64_t)id << 32 | command);
		return;
	}
	wait_until_sent(page); /* it may be one of L1's */
	high = apic_read(page, APIC_ICR_HIGH);
	apic_write(page, APIC_ICR_HIGH, id << APIC_ID_SHIFT);
	apic_write(page, APIC_ICR, command);
	wait_until_sent(page);
	apic_write(page, APIC_ICR_HIGH, high);
}

void lapic_send_others(uint32_t command)
{
	uint64_t page = page_now();

	command |= ICR_ASSERT | ICR_TO_OTHERS;
	if (page != APIC_NO_PAGE)
		wait_until_sent(page);
	apic_write(page, APIC_ICR, command); /* which has no high half */
	if (page != APIC_NO_PAGE)
		wait_until_sent(page);
}

static bool in_service(uint64_t page)
{
	for (unsigned int i = 0; i < ISR_WORDS; i++) {
		if (apic_read(page, APIC_ISR + i * APIC_STEP))
			return true;
	}
	return false;
}

/* APM vol. 2, section 16.3.4. */
static void init_extension(uint64_t page)
{
	uint32_t extension, count;

	if (!(apic_read(page, APIC_VERSION) & VERSION_EXTENDED))
		return;
	extension = apic_read(page, APIC_EXTENSION);
	count = extension >> EXTENSION_COUNT_SHIFT & EXTENSION_COUNT;
	for (uint32_t i = 0; i < count; i++)
		apic_write(page, APIC_EXTENDED_LVT + i * APIC_STEP, LVT_MASKED);
	for (uint32_t i = 0; i < ISR_WORDS && (extension & EXTENSION_ENABLED); i++)
		apic_write(page, APIC_ENABLED + i * APIC_STEP, UINT32_MAX);
	apic_write(page, APIC_EXTENDED_CONTROL, 0);
}

void lapic_init(void)
{
	uint64_t page = page_now();

	for (unsigned int i = 0; i < VECTORS && in_service(page); i++)
		apic_write(page, APIC_EOI, 0);
	apic_write(page, APIC_TPR, 0);
	apic_write(page, APIC_TIMER_COUNT, 0);
	apic_write(page, APIC_TIMER_DIVIDE, 0);
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_STEP)
		apic_write(page, lvt, LVT_MASKED);
	init_extension(page);
	apic_write(page, APIC_SPURIOUS, SPURIOUS_VECTOR);
	if (page == APIC_NO_PAGE)
		return; /* the rest is read-only there */
	apic_write(page, APIC_LDR, 0);
	apic_write(page, APIC_DFR, (uint32_t)DFR_RESET);
	apic_write(page, APIC_ICR_HIGH, 0);
}
