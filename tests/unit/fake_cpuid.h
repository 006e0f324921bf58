/*
 * A processor whose CPUID the test writes, and svm/features.c on it.
 */
#ifndef TESTS_UNIT_FAKE_CPUID_H
#define TESTS_UNIT_FAKE_CPUID_H

#include "hv/x86.h"
#include "svm/features.h"

/* Leaves that a test sets; all others are 0. */
enum fake_leaf {
	FAKE_FEATURES,   /* 0000_0001 */
	FAKE_STRUCTURED, /* 0000_0007 */
	FAKE_XSAVE,      /* 0000_000D, subleaf 0 and 1 */
	FAKE_XSAVE_1,
	FAKE_HYPERVISOR,    /* 4000_0000 */
	FAKE_HYPERVISOR_1,  /* 4000_0001 */
	FAKE_EXTENDED,      /* 8000_0001 */
	FAKE_ADDRESS_SIZES, /* 8000_0008 */
	FAKE_SVM,           /* 8000_000A */
	FAKE_ENCRYPTION,    /* 8000_001F */
	FAKE_EXTENDED_2,    /* 8000_0021 */
	FAKE_PERFORMANCE_2, /* 8000_0022 */
	FAKE_LEAVES
};

extern struct cpuid_regs fake_leaves[FAKE_LEAVES];
extern uint32_t fake_last_extended; /* the last leaf from 8000_0000 on */
extern bool fake_ones;              /* every bit of all leaves is 1 instead */

/* SYSCFG, which some emulators have not. */
extern bool fake_has_pred_cmd; /* ... takes a barrier */
extern bool fake_has_syscfg;
extern uint64_t fake_syscfg;

/* EFER, and the bits that it refuses, whatever CPUID says. */
extern uint64_t fake_efer, fake_efer_refused;

/* In place of hv/x86.h's. */
struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf);

/*
 * A 64-bit processor with these SVM features, ASIDs and physical address bits, and with what else
 * EFER and CR4 need on any that has SVM: no CET, no PCID.
 */
void fake_processor(uint32_t svm, uint32_t asids, uint8_t phys_bits);

#endif
