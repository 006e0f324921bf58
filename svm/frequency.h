/*
 * The TSC's frequency, where a hypervisor is below that tells it. Relies on svm/features.h.
 */
#ifndef SVM_FREQUENCY_H
#define SVM_FREQUENCY_H

#include <stdint.h>

/* What KVM tells of its clock; the kernel's Documentation/virt/kvm/x86/msr.rst. */
struct kvm_clock {
	uint32_t version, reserved;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier; /* nanoseconds = (ticks << shift) * multiplier >> 32 */
	int8_t shift;        /* negative: to the right */
	uint8_t flags, reserved_2[2];
};
_Static_assert(sizeof(struct kvm_clock) == 32, "msr.rst");

/* kHz that such a clock stands for; 0: it makes no sense. */
uint32_t frequency_of_clock(const struct kvm_clock *clock);

/*
 * Asks whoever is below, for features.tsc_khz; 0: nobody tells. To be called once, on one
 * processor, when L0 is where it stays.
 */
uint32_t frequency_told(void);

#endif
