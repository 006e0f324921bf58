/*
 * NMIs that do not come by ICR: which of L1's sources may have one at this moment. The processor
 * has one latch for NMIs, so one of these that came together with a kick cannot be told from it.
 * Relies on svm/apic_registers.h and on what each source says of itself.
 */
#include "hv/exception.h"
#include "svm/apic_registers.h"
#include "svm/event.h"

enum {
	APIC_VERSION = 0x30,
	APIC_PERFORMANCE = 0x340,
	APIC_EXTENSION = 0x400,

	LVT_MODE = 7 << 8,
	EXTENSION_COUNT_SHIFT = 16,
	EXTENSION_COUNT = 7, /* four are defined */

	/* System control port B: SERR# and IOCHK#, which chipsets make NMIs of. */
	PORT_CONTROL_B = 0x61,
	CONTROL_B_NMI = 3 << 6,

	COUNTERS_LEGACY = 4,
	COUNTERS = 6,
};
#define VERSION_EXTENDED (1u << 31)

/* Performance counters; APM vol. 2, section 13.2. */
#define MSR_PERF_SELECT0_LEGACY  0xc0010000u
#define MSR_PERF_COUNTER0_LEGACY 0xc0010004u
#define MSR_PERF_SELECT0         0xc0010200u /* every other one is a counter */
#define PERF_SELECT_INT          (1ull << 20)
#define PERF_SELECT_ENABLE       (1ull << 22)
#define PERF_COUNTER_SIGN        (1ull << 47)

static bool is_armed(const struct vcpu *vcpu, unsigned int lvt)
{
	return (apic_read(vcpu, lvt) & (LVT_MODE | LVT_MASKED)) == LVT_NMI;
}

/* Counters count up and interrupt at 0: who waits for that has set a negative number. */
static bool has_overflowed(uint32_t select_msr, uint32_t counter_msr)
{
	uint64_t wanted = PERF_SELECT_INT | PERF_SELECT_ENABLE, select, counter;

	return rdmsr_safe(select_msr, &select) && (select & wanted) == wanted &&
	       rdmsr_safe(counter_msr, &counter) && !(counter & PERF_COUNTER_SIGN);
}

static bool a_counter_has_overflowed(void)
{
	for (uint32_t i = 0; i < COUNTERS_LEGACY; i++) {
		if (has_overflowed(MSR_PERF_SELECT0_LEGACY + i, MSR_PERF_COUNTER0_LEGACY + i))
			return true;
	}
	for (uint32_t i = COUNTERS_LEGACY; i < COUNTERS; i++) {
		if (has_overflowed(MSR_PERF_SELECT0 + 2 * i, MSR_PERF_SELECT0 + 2 * i + 1))
			return true;
	}
	return false;
}

static bool an_extended_one_is_armed(const struct vcpu *vcpu)
{
	unsigned int count;

	if (!(apic_read(vcpu, APIC_VERSION) & VERSION_EXTENDED))
		return false;
	count = apic_read(vcpu, APIC_EXTENSION) >> EXTENSION_COUNT_SHIFT & EXTENSION_COUNT;
	for (unsigned int i = 0; i < count; i++) {
		if (is_armed(vcpu, APIC_EXTENDED_LVT + i * APIC_STEP))
			return true;
	}
	return false;
}

bool nmi_may_be_l1s(struct vcpu *vcpu)
{
	if ((is_armed(vcpu, APIC_LINT0) || is_armed(vcpu, APIC_LINT1)) &&
	    (inb(PORT_CONTROL_B) & CONTROL_B_NMI))
		return true;
	if (is_armed(vcpu, APIC_PERFORMANCE) && a_counter_has_overflowed())
		return true;
	/* These say nothing of themselves. */
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_STEP) {
		bool asked = lvt == APIC_PERFORMANCE || lvt == APIC_LINT0 || lvt == APIC_LINT1;

		if (!asked && is_armed(vcpu, lvt))
			return true;
	}
	return an_extended_one_is_armed(vcpu);
}
