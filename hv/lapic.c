/*
 * This processor's local APIC. Relies on hv/phys.h for its page.
 */
#include "hv/lapic.h"
#include "hv/phys.h"
#include "hv/x86.h"

/* Offsets in the page; registers of x2APIC mode are MSR_X2APIC + offset / 16. */
enum {
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SPURIOUS = 0xf0,
	APIC_ISR = 0x100,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_TIMER = 0x320,
	APIC_ERROR = 0x370,
	APIC_TIMER_COUNT = 0x380,
	APIC_TIMER_DIVIDE = 0x3e0,
	APIC_EXTENSION = 0x400, /* if there is one: what it has */
	APIC_EXTENDED_CONTROL = 0x410,
	APIC_ENABLED = 0x480, /* vectors */
	APIC_EXTENDED_LVT = 0x500,
	EXTENSION_ENABLED = 1 << 0,
	EXTENSION_COUNT_SHIFT = 16,
	EXTENSION_COUNT = 7,

	APIC_ISR_WORDS = 8,
	APIC_REGISTER_STEP = 0x10,
	APIC_VECTORS = 256,
	SPURIOUS_RESET = 0xff,
	LVT_MASKED = 1 << 16,
	ID_SHIFT = 24,
	XAPIC_BROADCAST = 0xff,
	DFR_RESET = -1,
	ICR_OTHERS = 3 << 18,    /* shorthand */
	SEND_PATIENCE = 1 << 20, /* reads of ICR; an interrupt takes a few */
	LEAF_FEATURES = 1,
	LEAF_TOPOLOGY = 0xb,
};
#define MSR_X2APIC       0x800u
#define VERSION_EXTENDED (1u << 31)
#define ADDRESS          0x000ffffffffff000ull
#define ECX_X2APIC       (1u << 21)

static volatile uint32_t *at(uint64_t base, unsigned int offset)
{
	return (volatile uint32_t *)phys((base & ADDRESS) + offset);
}

static uint32_t read(uint64_t base, unsigned int offset)
{
	if (base & APIC_BASE_X2APIC)
		return (uint32_t)rdmsr(MSR_X2APIC + offset / APIC_REGISTER_STEP);
	return *at(base, offset);
}

static void write(uint64_t base, unsigned int offset, uint32_t value)
{
	if (base & APIC_BASE_X2APIC)
		wrmsr(MSR_X2APIC + offset / APIC_REGISTER_STEP, value);
	else
		*at(base, offset) = value;
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
	return cpuid(LEAF_FEATURES, 0).ebx >> ID_SHIFT;
}

bool lapic_reaches(uint32_t id)
{
	return id < XAPIC_BROADCAST || (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC);
}

static void wait_until_sent(uint64_t base)
{
	for (unsigned int i = 0; (*at(base, APIC_ICR) & ICR_BUSY) && i < SEND_PATIENCE; i++)
		cpu_relax();
}

void lapic_send(uint32_t id, uint32_t command)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t high;

	command |= ICR_ASSERT;
	if (base & APIC_BASE_X2APIC) {
		wrmsr(MSR_X2APIC + APIC_ICR / APIC_REGISTER_STEP, (uint64_t)id << 32 | command);
		return;
	}
	wait_until_sent(base); /* it may be one of L1's */
	high = *at(base, APIC_ICR_HIGH);
	*at(base, APIC_ICR_HIGH) = id << ID_SHIFT;
	*at(base, APIC_ICR) = command;
	wait_until_sent(base);
	*at(base, APIC_ICR_HIGH) = high;
}

void lapic_send_others(uint32_t command)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	command |= ICR_ASSERT | ICR_OTHERS;
	if (base & APIC_BASE_X2APIC) {
		wrmsr(MSR_X2APIC + APIC_ICR / APIC_REGISTER_STEP, command);
		return;
	}
	wait_until_sent(base);
	*at(base, APIC_ICR) = command;
	wait_until_sent(base);
}

static bool in_service(uint64_t base)
{
	for (unsigned int i = 0; i < APIC_ISR_WORDS; i++) {
		if (read(base, APIC_ISR + i * APIC_REGISTER_STEP))
			return true;
	}
	return false;
}

/* APM vol. 2, section 16.3.4. */
static void init_extension(uint64_t base)
{
	uint32_t extension, count;

	if (!(read(base, APIC_VERSION) & VERSION_EXTENDED))
		return;
	extension = read(base, APIC_EXTENSION);
	count = extension >> EXTENSION_COUNT_SHIFT & EXTENSION_COUNT;
	for (uint32_t i = 0; i < count; i++)
		write(base, APIC_EXTENDED_LVT + i * APIC_REGISTER_STEP, LVT_MASKED);
	for (uint32_t i = 0; i < APIC_ISR_WORDS && (extension & EXTENSION_ENABLED); i++)
		write(base, APIC_ENABLED + i * APIC_REGISTER_STEP, UINT32_MAX);
	write(base, APIC_EXTENDED_CONTROL, 0);
}

void lapic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	for (unsigned int i = 0; i < APIC_VECTORS && in_service(base); i++)
		write(base, APIC_EOI, 0);
	write(base, APIC_TPR, 0);
	write(base, APIC_TIMER_COUNT, 0);
	write(base, APIC_TIMER_DIVIDE, 0);
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_REGISTER_STEP)
		write(base, lvt, LVT_MASKED);
	init_extension(base);
	write(base, APIC_SPURIOUS, SPURIOUS_RESET);
	if (base & APIC_BASE_X2APIC)
		return; /* the rest is read-only there */
	write(base, APIC_LDR, 0);
	write(base, APIC_DFR, (uint32_t)DFR_RESET);
	*at(base, APIC_ICR_HIGH) = 0;
}
