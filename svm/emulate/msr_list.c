/*
 * The list of MSRs, in their order: from AMD64 APM vol. 2, appendix A, the processors' own manuals
 * (PPR, BKDG), and what systems are known to write on families 10h to 1Ah. What is not in the list
 * is read as it is, and not written.
 */
#include "svm/emulate/msr_list.h"
#include "hv/string.h"

#define B(n) (1ull << (n))
#define NO_FEATURE                                                                                 \
	{                                                                                          \
		0, 0, 0                                                                            \
	}

/* The registers from first to last; of a feature, by its bit of CPUID; a single one, some bits. */
#define RULE(first, last, read, write)                                                             \
	{                                                                                          \
		(first), (last), READ_##read, WRITE_##write, NO_FEATURE, 0                         \
	}
#define RULE_OF(first, last, read, write, leaf, reg, bit)                                          \
	{                                                                                          \
		(first), (last), READ_##read, WRITE_##write, {(leaf), (reg), (bit)}, 0             \
	}
#define BITS(msr, bits)                                                                            \
	{                                                                                          \
		(msr), (msr), READ_PASS, WRITE_BITS, NO_FEATURE, (bits)                            \
	}

static const struct msr_rule list[] = {
	RULE(0x10, 0x10, PASS, PASS), /* TSC */
	/*
         * Clocks that a hypervisor below L0 writes to memory, at any address: see 4000_0000, too.
         * The processor has no such registers.
         */
	RULE(0x11, 0x12, PASS, KEEP),
	RULE_OF(0x3b, 0x3b, PASS, PASS, LEAF_STRUCTURED, 'b', 1),    /* TSC_ADJUST */
	RULE(0x48, 0x49, PASS, PASS),                                /* SPEC_CTRL, PRED_CMD */
	RULE(0xe7, 0xe8, PASS, PASS),                                /* MPERF, APERF */
	RULE_OF(0x10b, 0x10b, PASS, PASS, LEAF_STRUCTURED, 'd', 28), /* FLUSH_CMD */
	RULE(0x174, 0x176, PASS, PASS),                              /* SYSENTER */
	RULE(0x17a, 0x17b, PASS, PASS),                              /* MCG_STATUS, MCG_CTL */
	BITS(0x1d9, B(1)),              /* DEBUGCTL: BTF. The last branch recorded would be L0's. */
	RULE(0x400, 0x47f, PASS, PASS), /* banks of machine checks */
	RULE_OF(0x6a0, 0x6a0, PASS, PASS, LEAF_STRUCTURED, 'c', 7),  /* U_CET */
	RULE_OF(0x6a2, 0x6a2, PASS, PASS, LEAF_STRUCTURED, 'c', 7),  /* S_CET */
	RULE_OF(0x6a4, 0x6a8, PASS, PASS, LEAF_STRUCTURED, 'c', 7),  /* shadow stacks */
	RULE_OF(0x6e0, 0x6e0, PASS, PASS, LEAF_FEATURES, 'c', 24),   /* TSC_DEADLINE */
	RULE_OF(0x6e1, 0x6e1, PASS, PASS, LEAF_STRUCTURED, 'c', 31), /* PKRS */
	RULE(0x800, 0x8ff, PASS, PASS),                              /* x2APIC */
	RULE(0xc8d, 0xc9f, PASS, PASS),                              /* quality of service */
	RULE_OF(0xd90, 0xd90, PASS, PASS, LEAF_STRUCTURED, 'b', 14), /* BNDCFGS */

	/* Of a hypervisor below: pages of its own anywhere (Hyper-V's), clocks, events (KVM's). */
	RULE(0x40000000, 0x4fffffff, PASS, KEEP),

	RULE(0xc0000081, 0xc0000084, PASS, PASS), /* STAR, LSTAR, CSTAR, SFMASK */
	RULE_OF(0xc00000e9, 0xc00000e9, PASS, PASS, LEAF_ADDRESS_SIZES, 'b', 1), /* IRPERF */
	RULE(0xc0000100, 0xc0000103, PASS, PASS), /* FS, GS, KERNEL_GS_BASE, TSC_AUX */
	/* TSC_RATIO is of the processor's guests: of L1 itself. */
	RULE_OF(0xc0000104, 0xc0000104, ZERO, KEEP, LEAF_SVM, 'd', 4),
	/* Lightweight profiling writes buffers. */
	RULE_OF(0xc0000105, 0xc0000106, ZERO, KEEP, LEAF_EXTENDED, 'c', 15),
	RULE_OF(0xc0000108, 0xc0000108, PASS, PASS, LEAF_EXTENDED_2, 'a',
                13), /* PREFETCH_CONTROL */
	/* Branch records by new ways: they would be L0's. */
	RULE_OF(0xc000010e, 0xc000010e, ZERO, KEEP, LEAF_PERFORMANCE_2, 'a', 1),
	RULE(0xc000010f, 0xc000010f, ZERO, KEEP),
	RULE(0xc0000200, 0xc000020f, PASS, PASS), /* bandwidth of memory */
	RULE(0xc0000280, 0xc000028f, PASS, PASS),
	RULE_OF(0xc0000300, 0xc0000303, PASS, PASS, LEAF_PERFORMANCE_2, 'a', 0),
	RULE(0xc00003ff, 0xc0000407, PASS, PASS), /* quality of service */
	RULE(0xc0000408, 0xc0000410, PASS, PASS), /* thresholds of machine checks */
	RULE(0xc0002000, 0xc0002fff, PASS, PASS), /* banks of machine checks */

	RULE(0xc0010004, 0xc0010007, PASS, PASS), /* performance counters */
	/*
         * HWCR: FFDIS (6), MONITOR and MWAIT of users (9, 10), 32-bit addresses that wrap (17),
         * status of machine checks writable (18), the TSC's and boost's frequencies (24, 25, 27).
         */
	BITS(0xc0010015, B(6) | B(9) | B(10) | B(17) | B(18) | B(24) | B(25) | B(27)),
	/* Where addresses lead is decided by these: IORRs, TOP_MEM, TOP_MEM2. */
	RULE(0xc0010016, 0xc001001d, PASS, KEEP),
	BITS(0xc001001f, B(46)),                     /* NB_CFG: extended CF8h */
	RULE(0xc0010020, 0xc0010020, NONE, NOTHING), /* PATCH_LOADER */
	RULE(0xc0010050, 0xc0010056, PASS, KEEP),    /* SMIs by I/O, messages by I/O */
	RULE(0xc0010058, 0xc0010058, PASS, KEEP),    /* MMIO_CFG_BASE */
	RULE(0xc0010062, 0xc0010062, PASS, PASS),    /* P-state */
	RULE(0xc0010111, 0xc0010113, PASS, KEEP),    /* SMM_BASE, SMM_ADDR, SMM_MASK */
	RULE(0xc001011b, 0xc001011b, NONE, KEEP),    /* AVIC's doorbell */
	RULE(0xc001011e, 0xc001011e, NONE, KEEP),    /* VM_PAGE_FLUSH */
	RULE(0xc001011f, 0xc001011f, PASS, PASS),    /* VIRT_SPEC_CTRL */
	RULE(0xc0010130, 0xc001013f, ZERO, KEEP),    /* SEV: GHCB, RMP_BASE, RMP_END */
	/* Performance counters; their selects are svm/emulate/perf.c's. */
	RULE(0xc0010201, 0xc0010201, PASS, PASS), RULE(0xc0010203, 0xc0010203, PASS, PASS),
	RULE(0xc0010205, 0xc0010205, PASS, PASS), RULE(0xc0010207, 0xc0010207, PASS, PASS),
	RULE(0xc0010209, 0xc0010209, PASS, PASS), RULE(0xc001020b, 0xc001020b, PASS, PASS),
	/* Counters of caches and of memory count for all, L0 included. */
	RULE_OF(0xc0010230, 0xc001023f, ZERO, KEEP, LEAF_EXTENDED, 'c', 28),
	RULE_OF(0xc0010240, 0xc001024f, ZERO, KEEP, LEAF_EXTENDED, 'c', 24),
	RULE_OF(0xc00102b1, 0xc00102b1, PASS, PASS, LEAF_ADDRESS_SIZES, 'b', 27), /* CPPC */
	RULE_OF(0xc00102b3, 0xc00102b3, PASS, PASS, LEAF_ADDRESS_SIZES, 'b', 27),
	RULE_OF(0xc00102f0, 0xc00102f1, PASS, PASS, LEAF_ADDRESS_SIZES, 'b', 23), /* PPIN */
	RULE(0xc0010300, 0xc001031f, ZERO, KEEP), /* branch records */
	RULE(0xc0010800, 0xc00108ff, ZERO, KEEP), /* counters of memory controllers */
	RULE_OF(0xc0011019, 0xc001101b, PASS, PASS, LEAF_EXTENDED, 'c', 26), /* DRn masks */
	/* Of configurations only what systems set for errata and against speculation. */
	BITS(0xc0011020, B(10) | B(15) | B(33) | B(54)),                     /* LS */
	BITS(0xc0011021, B(1) | B(2) | B(3) | B(4)),                         /* IC */
	BITS(0xc0011022, B(47)),                                             /* DC */
	RULE_OF(0xc0011027, 0xc0011027, PASS, PASS, LEAF_EXTENDED, 'c', 26), /* DR0's mask */
	BITS(0xc0011028, B(9)),                                              /* FP */
	BITS(0xc0011029, B(1) | B(9)),                                       /* DE */
	BITS(0xc001102a, B(24)),                                             /* BU */
	BITS(0xc001102e, B(5)),                                              /* BP */
	/* Samples of instructions would be L0's, too. */
	RULE_OF(0xc0011030, 0xc001103d, ZERO, KEEP, LEAF_EXTENDED, 'c', 10),
	BITS(0xc00110e3, B(1)), /* DE2 */
};

enum { RULES = sizeof(list) / sizeof(*list) };

bool msr_list_open;

const struct msr_rule *msr_rule(uint32_t msr)
{
	static const struct msr_rule dropped = RULE(0, ~0u, PASS, DROP);
	static const struct msr_rule passed = RULE(0, ~0u, PASS, PASS);

	for (unsigned int i = 0; i < RULES; i++) {
		if (msr >= list[i].first && msr <= list[i].last)
			return &list[i];
	}
	return msr_list_open ? &passed : &dropped;
}

bool msr_is_hidden(const struct msr_rule *rule)
{
	return rule->feature.leaf && cpuid_has(&rule->feature) && !cpuid_shows(&rule->feature);
}

int msrpm_bit(uint32_t msr)
{
	/* Three ranges of 8 Ki registers, 2 bits each, in 2 KiB apiece; APM 15.11. */
	static const uint32_t first[] = {0, 0xc0000000, 0xc0010000};

	for (int i = 0; i < 3; i++) {
		if (msr - first[i] < 0x2000)
			return (i * 0x800 * 8) + (int)(msr - first[i]) * 2;
	}
	return -1;
}

void msr_list_fill(uint64_t *msrpm)
{
	enum { READ = 1, WRITE = 2, MSRPM_BYTES = 0x2000, ALL_WRITES = 0xaa };

	memset(msrpm, msr_list_open ? 0 : ALL_WRITES, MSRPM_BYTES);
	for (unsigned int i = 0; i < RULES; i++) {
		bool hidden = msr_is_hidden(&list[i]);
		uint64_t bits = (hidden || list[i].read != READ_PASS ? READ : 0) |
		                (hidden || list[i].write != WRITE_PASS ? WRITE : 0);

		for (uint32_t msr = list[i].first; msr <= list[i].last; msr++) {
			int bit = msrpm_bit(msr);

			if (bit < 0)
				break; /* every access exits anyway */
			msrpm[bit / 64] &= ~(3ull << (bit % 64));
			msrpm[bit / 64] |= bits << (bit % 64);
		}
	}
}
