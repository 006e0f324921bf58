/*
 * What becomes of an access to an MSR that L0 does not virtualize. Relies on svm/cpuid.h:
 * registers of features that L1 is not shown are not there for it.
 */
#ifndef SVM_EMULATE_MSR_LIST_H
#define SVM_EMULATE_MSR_LIST_H

#include "svm/cpuid.h"

enum msr_read {
	READ_PASS,
	READ_ZERO, /* #GP where the processor has none */
	READ_NONE, /* #GP */
};

enum msr_write {
	WRITE_PASS,
	WRITE_DROP,    /* ... #GP where the processor has none */
	WRITE_BITS,    /* only those in the mask; the others stay as they are */
	WRITE_KEEP,    /* #GP, unless nothing would change */
	WRITE_NOTHING, /* of a register that can only be written */
};

struct msr_rule {
	uint32_t first, last;
	uint8_t read, write;
	struct cpuid_bit feature; /* that they belong to; leaf 0: none */
	uint64_t bits;            /* for WRITE_BITS */
};

/* Writes to registers that are not in the list: dropped (false, at first), or passed (msr=open). */
extern bool msr_list_open;

/* The rule for a register; never NULL. */
const struct msr_rule *msr_rule(uint32_t msr);

/* Does L0 hide the feature that the registers belong to? They are #GP then. */
bool msr_is_hidden(const struct msr_rule *rule);

/*
 * Sets MSRPM01, two bits for each register (APM vol. 2, section 15.11): what passes both ways never
 * exits.
 */
void msr_list_fill(uint64_t *msrpm);

/* The bit of a permission map for RDMSR of this register; WRMSR's is the next. -1: not covered. */
int msrpm_bit(uint32_t msr);

#endif
