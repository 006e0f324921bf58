/*
 * What each processor counts of its guests. The numbers of the counters are those of their
 * registers behind MSR_NESTLING_COUNTERS. Relies on mmu/counters.h only, so that programs in L1
 * know the names, too.
 */
#ifndef SVM_LOOK_COUNTERS_H
#define SVM_LOOK_COUNTERS_H

#include "mmu/counters.h"

/* X(name, what it counts) */
#define VCPU_COUNTERS(X)                                                                           \
	X(reflected, "exits of L2 that L1 got")                                                    \
	X(again, "VMRUNs with little that was new since the one before")                           \
	X(invalid, "VMRUNs refused")                                                               \
	X(flushes, "VMRUNs that asked for a flush of the TLB")                                     \
	X(nmis, "NMIs, those of L0's own included")                                                \
	X(kicked, "NMIs that were another processor's kick")                                       \
	X(apic_writes, "writes to the local APIC that L0 performed")

/* Of the machine, the same on every processor. */
#define MACHINE_GAUGES(X)                                                                          \
	X(pool_pages, "shadow pages that there are")                                               \
	X(pool_free, "... and are free")                                                           \
	X(frames_tracked, "tables and maps of L1's that are watched")

/* A counter for each exit code that an intercept has (APM vol. 2, appendix C), and two more. */
enum {
	EXIT_SLOT_NPF = 0xc0,
	EXIT_SLOT_OTHER,
	EXIT_SLOTS,
};

enum exit_level { EXITS_OF_L1, EXITS_OF_L2, EXIT_LEVELS };

struct vcpu_counters {
#define VCPU_COUNTER_FIELD(name, what) uint64_t name;
	VCPU_COUNTERS(VCPU_COUNTER_FIELD)
#undef VCPU_COUNTER_FIELD
	uint64_t exits[EXIT_LEVELS][EXIT_SLOTS];
};

enum counter {
#define COUNTER_NUMBER(name, what) COUNTER_##name,
	VCPU_COUNTERS(COUNTER_NUMBER) MMU_COUNTERS(COUNTER_NUMBER) MACHINE_GAUGES(COUNTER_NUMBER)
#undef COUNTER_NUMBER
		COUNTERS_NAMED,
	COUNTER_EXITS_L1 = 0x100, /* + slot */
	COUNTER_EXITS_L2 = 0x200,
	COUNTERS_END = 0x300,
};

enum { EXIT_NAME_SIZE = 24 };

/* The name of an exit, by its slot: as the APM calls it, without "VMEXIT_". */
void exit_name(unsigned int slot, char name[EXIT_NAME_SIZE]);

#endif
