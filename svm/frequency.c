/*
 * KVM tells the TSC's frequency by a leaf, if the user gave one, and by its clock; an outer
 * Nestling by the same leaf (svm/look/interface.h). Relies on hv/memory.h for where L0 is.
 */
#include "svm/frequency.h"
#include "hv/exception.h"
#include "hv/memory.h"
#include "hv/x86.h"
#include "svm/features.h"
#include "svm/look/interface.h"

enum { KVM_LEAF_FEATURES = 0x40000001, KVM_HAS_CLOCK = 1 << 3 };
#define MSR_KVM_CLOCK   0x4b564d01u /* hpa, | 1: to be written there; 0: no more */
#define CLOCK_ON        1u
#define MS_PER_GIGA_SEC 1000000ull /* kHz of a clock that counts nanoseconds */

uint32_t frequency_of_clock(const struct kvm_clock *clock)
{
	/* KVM's multiplier is as large as 32 bits take, so the quotient has 21 at most. */
	enum { LEAST_MULTIPLIER_SHIFT = 31, MOST_LEFT = 11, MOST_RIGHT = 20 };
	uint32_t khz;

	if (!(clock->multiplier >> LEAST_MULTIPLIER_SHIFT) || clock->shift < -MOST_LEFT ||
	    clock->shift > MOST_RIGHT)
		return 0;
	khz = divide(MS_PER_GIGA_SEC << 32, clock->multiplier);
	return clock->shift < 0 ? khz << -clock->shift : khz >> clock->shift;
}

/* KVM writes it before the register's write is done, and then whenever it changes. */
static uint32_t ask_clock(void)
{
	static volatile struct kvm_clock clock __attribute__((aligned(sizeof(struct kvm_clock))));
	struct kvm_clock copy;

	if (!wrmsr_safe(MSR_KVM_CLOCK, hpa_of((const void *)&clock) | CLOCK_ON))
		return 0;
	wrmsr(MSR_KVM_CLOCK, 0);
	copy = clock;
	return frequency_of_clock(&copy);
}

uint32_t frequency_told(void)
{
	struct cpuid_regs r = cpuid(LEAF_HYPERVISOR, 0);
	bool nestling = r.ebx == NESTLING_EBX && r.ecx == NESTLING_ECX && r.edx == NESTLING_EDX;

	if (!features.kvm) /* or what an outer Nestling runs on */
		return 0;
	if (r.eax >= LEAF_HYPERVISOR_TIMING && r.eax <= LEAF_HYPERVISOR_END)
		return cpuid(LEAF_HYPERVISOR_TIMING, 0).eax;
	if (!nestling && (cpuid(KVM_LEAF_FEATURES, 0).eax & KVM_HAS_CLOCK))
		return ask_clock();
	return 0;
}
