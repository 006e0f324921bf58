/*
 * What a vcpu has of emulated registers that are more than a word.
 * Relies on nothing.
 */
#ifndef SVM_EMULATE_STATE_H
#define SVM_EMULATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* Of a processor's performance counters, those that L1 is shown. */
enum { PERF_COUNTERS = 6 };

/* Their selects as L1 has written them. */
struct performance {
	uint64_t select[PERF_COUNTERS];
	bool split; /* some count either L1 or L2: they change at VMRUN and #VMEXIT */
};

#endif
