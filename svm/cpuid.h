/*
 * What L1 sees of CPUID: a list of the leaves and bits that L0 knows to be right under it; all
 * others are hidden. Relies on hv/x86.h.
 */
#ifndef SVM_CPUID_H
#define SVM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/x86.h"

enum cpuid_leaf {
	LEAF_FEATURES = 0x00000001,
	LEAF_STRUCTURED = 0x00000007,
	LEAF_XSAVE = 0x0000000d,
	LEAF_EXTENDED = 0x80000001,
	LEAF_ADDRESS_SIZES = 0x80000008,
	LEAF_SVM = 0x8000000a,
	LEAF_ENCRYPTION = 0x8000001f,
	LEAF_EXTENDED_2 = 0x80000021,
	LEAF_PERFORMANCE_2 = 0x80000022,
};

/* A feature: a bit of subleaf 0. */
struct cpuid_bit {
	uint32_t leaf;
	char reg; /* a, b, c, d */
	uint8_t bit;
};

/* To be called first, with features.npt set: reads how many leaves there are. */
void cpuid_init(void);

/* L1 is not shown this one, which the list has: the processor does not do what it says. */
void cpuid_hide(const struct cpuid_bit *bit);

/* The processor's own answer; zeros where it has no such leaf. */
struct cpuid_regs cpuid_real(uint32_t leaf, uint32_t subleaf);

/*
 * L1's, but for what each of its processors has of its own (svm/emulate/cpuid.c). Needs
 * features.la57, phys_bits and, for leaf 0000_000D, xcr0_valid and xss_valid.
 */
struct cpuid_regs cpuid_shown(uint32_t leaf, uint32_t subleaf);

bool cpuid_has(const struct cpuid_bit *bit);   /* the processor */
bool cpuid_shows(const struct cpuid_bit *bit); /* L1 */

#endif
