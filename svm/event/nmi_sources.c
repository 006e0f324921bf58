/*
 * NMIs that do not come by ICR: which of L1's sources may have one at this moment. The processor
 * has one latch for NMIs, so one of these that came together with a kick cannot be told from it.
 * Relies on hv/apic.h and on what each source says of itself.
 */
#include "hv/apic.h"
#include "hv/exception.h"
#include "svm/event/event.h"

enum {
	/* System control port B: SERR# and IOCHK#, which chipsets make NMIs of. */
	PORT_CONTROL_B = 0x61,
	CONTROL_B_NMI = 3 << 6,

	COUNTERS_LEGACY = 4,
	COUNTERS = 6,
};

/* Performance counters; APM vol. 2, section 13.2. */
#define MSR_PERF_SELECT0_LEGACY  0xc0010000u
#define MSR_PERF_COUNTER0_LEGACY 0xc0010004u
#define MSR_PERF_SELECT0         0xc0010200u /* every other one is a counter */
#define PERF_SELECT_INT          (1ull << 20)
#define PERF_SELECT_ENABLE       (1ull << 22)
#define PERF_COUNTER_SIGN        (1ull << 47)

/* Instruction-based sampling; APM vol. 2, section 13.3. */
#define MSR_IBS_FETCH_CTL 0xc0011030u
#define IBS_FETCH_ENABLE  (1ull << 48)
#define IBS_FETCH_VALID   (1ull << 49)
#define MSR_IBS_OP_CTL    0xc0011033u
#define IBS_OP_ENABLE     (1ull << 17)
#define IBS_OP_VALID      (1ull << 18)
#define MSR_IBS_CTL       0xc001103au
#define IBS_CTL_LVT       0xfu
#define IBS_CTL_VALID     (1ull << 8)
#define NO_LVT            (~0u)

static bool is_armed(const struct vcpu *vcpu, unsigned int lvt)
{
	return (apic_read(vcpu->apic.page, lvt) & (LVT_MODE | LVT_MASKED)) == LVT_NMI;
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

static bool has_bits(uint32_t msr, uint64_t bits)
{
	uint64_t value;

	return rdmsr_safe(msr, &value) && (value & bits) == bits;
}

/* Instruction-based sampling has a sample that L1's handler has not taken yet. */
static bool has_sample(void)
{
	return has_bits(MSR_IBS_FETCH_CTL, IBS_FETCH_ENABLE | IBS_FETCH_VALID) ||
	       has_bits(MSR_IBS_OP_CTL, IBS_OP_ENABLE | IBS_OP_VALID);
}

/* Which of the extended ones is that of sampling; NO_LVT: none is. */
static unsigned int sampling_lvt(void)
{
	uint64_t value;

	if (!rdmsr_safe(MSR_IBS_CTL, &value) || !(value & IBS_CTL_VALID))
		return NO_LVT;
	return (unsigned int)value & IBS_CTL_LVT;
}

/* Sampling says of itself whether it has sent one; the others do not. */
static bool an_extended_one_may_be(const struct vcpu *vcpu)
{
	unsigned int count;

	if (!(apic_read(vcpu->apic.page, APIC_VERSION) & VERSION_EXTENDED))
		return false;
	count = apic_read(vcpu->apic.page, APIC_EXTENSION) >> EXTENSION_COUNT_SHIFT &
	        EXTENSION_COUNT;
	for (unsigned int i = 0; i < count; i++) {
		if (is_armed(vcpu, APIC_EXTENDED_LVT + i * APIC_STEP) &&
		    (i != sampling_lvt() || has_sample()))
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
	return an_extended_one_may_be(vcpu);
}
