/*
 * What this machine's SVM can do, and which of it L1 is shown. Relies on hv/x86.h.
 */
#ifndef SVM_FEATURES_H
#define SVM_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

struct features {
	uint32_t svm;   /* CPUID 8000_000A EDX as the processor has it */
	uint32_t shown; /* ... and as L1 sees it */
	uint32_t asids; /* L1 sees one fewer */
	uint8_t family;
	uint8_t address_bits; /* that the processor has, without those that memory encryption takes
	                       */
	uint8_t phys_bits;    /* ... and that tables of L0's levels can map */
	uint64_t not_pages;   /* bits that are 0 in the address of a page */
	bool page_1g;
	bool nx;
	bool la57;           /* L0 runs with 5 levels */
	bool npt;            /* L0 uses nested paging; false: it shadows L1's own */
	bool tcg;            /* QEMU's own emulation: its quirks are dealt with where they show */
	bool kvm;            /* KVM is right below */
	bool vector0;        /* ... and needs quirk_hold_interrupts() */
	bool clean;          /* L0 uses clean bits */
	bool virtual_vmload; /* L1's VMLOAD and VMSAVE need no exit in 64-bit code */
	bool extensions;     /* svm/nested/extensions.c has something to do */
	uint64_t efer_valid; /* bits that L1 may set */
	uint64_t cr4_valid, xcr0_valid, xss_valid;
	bool untrain;               /* predictors are flushed whenever L2 exits */
	bool auto_ibrs;             /* for L0, and for an L1 that turns it on */
	bool spec_reduce;           /* L0 sets BP_CFG.BpSpecReduce */
	bool watch_cr4, watch_xcr0; /* the processor would let it set others (npt=off watches) */
	uint64_t int_ctl;           /* ... in a VMCB */
	uint32_t pause_filter;      /* likewise */
	uint32_t tsc_khz;           /* 0: not known (svm/frequency.h) */
};

extern struct features features;

/* Memory types are 0, 1 and 4 to 7, a byte each, all eight at once; APM vol. 2, section 7.8.1. */
static inline bool pat_is_valid(uint64_t pat)
{
	uint64_t two_or_three = pat >> 1 & ~(pat >> 2);

	return !(pat & 0xf8f8f8f8f8f8f8f8ull) && !(two_or_three & 0x0101010101010101ull);
}

/* What of it to use. */
struct feature_choice {
	bool la57;    /* L0 itself runs with 5 levels */
	bool npt;     /* L0 uses nested paging */
	bool untried; /* also what Nestling has not yet run with on any machine */
	enum { BARRIERS_AUTO, BARRIERS_ON, BARRIERS_OFF } barriers;
};

/* Reads CPUID. */
void features_init(const struct feature_choice *choice);

static inline bool has(uint32_t svm_feature)
{
	return features.svm & svm_feature;
}

static inline bool is_shown(uint32_t svm_feature)
{
	return features.shown & svm_feature;
}

#endif
