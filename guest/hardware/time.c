/*
 * The pause filter and its threshold, the TSC's ratio, and SPEC_CTRL in the VMCB. Relies on
 * guest/lib; APM 15.14.4, 15.30.5 and 3.2.9.
 */
#include "guest/hardware/hardware.h"

enum {
	PAUSES = 100,
	FILTER = 10,
	MSR_TSC_RATIO = 0xc0000104u,
	MSR_SPEC_CTRL = 0x48,
	THRESHOLD_LONG = 0xffff,
	THRESHOLD_SHORT = 1,
	CPUID_SIZES = 0x80000008u,
};

#define RATIO_1    (1ull << 32)
#define RATIO_HALF (1ull << 31)

/* ECX PAUSEs, one close to the other; and one CPUID, which takes long, between them. */
static const struct code loop = CODE("\xf3\x90\xff\xc9\x75\xfa"),
			 slow_loop = CODE("\xf3\x90\x89\xce\x31\xc0\x0f\xa2\x89\xf1\xff\xc9\x75"
                                          "\xf2");

static struct l2 *pausing(const char *name, uint16_t count, uint16_t threshold)
{
	struct l2 *l2 = fresh(name);

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_PAUSE;
	l2->vmcb->control.pause_filter_count = count;
	l2->vmcb->control.pause_filter_threshold = threshold;
	l2->regs.rcx = PAUSES;
	return l2;
}

void hardware_pause(void)
{
	struct l2 *l2;

	if (!hardware_group("pause", SVM_FEATURE_PAUSE_FILTER, "no pause filter"))
		return;
	l2 = pausing("a filter of 0 lets the first PAUSE exit", 0, 0);
	run_code(l2, &loop);
	l2_check_exit(l2, VMEXIT_PAUSE);
	check("ECX", (uint32_t)l2->regs.rcx, PAUSES);

	l2 = pausing("a filter lets so many PAUSEs pass", FILTER, 0);
	run_code(l2, &loop);
	l2_check_exit(l2, VMEXIT_PAUSE);
	check_range("PAUSEs", PAUSES - (uint32_t)l2->regs.rcx, FILTER - 1, FILTER + 1);
	seen("%u PAUSEs pass a filter of %u", PAUSES - (unsigned int)l2->regs.rcx, FILTER);

	l2 = pausing("a filter of more than there are lets all pass", PAUSES * 2, 0);
	run_code(l2, &loop);
	check_through(l2, loop.length);

	l2 = pausing("a threshold counts PAUSEs that are close", FILTER, THRESHOLD_LONG);
	if (!(machine.svm_features & SVM_FEATURE_PAUSE_THRESH)) {
		point_skip("no threshold of the pause filter");
		point_end();
		return;
	}
	run_code(l2, &loop);
	l2_check_exit(l2, VMEXIT_PAUSE);

	l2 = pausing("a threshold does not count those that are not", FILTER, THRESHOLD_SHORT);
	run_code(l2, &slow_loop);
	check_through(l2, slow_loop.length);
	point_end();
}

/* L2's TSC, and L1's own before and behind it. */
static uint64_t l2_tsc(struct l2 *l2, uint64_t *before, uint64_t *behind)
{
	l2_aim(l2, L2_RDTSC);
	*before = rdtsc();
	svm_run(&l2->regs, l2->vmcb);
	*behind = rdtsc();
	l2_check_done(l2);
	return l2_edx_eax(l2);
}

void hardware_tsc(void)
{
	uint64_t before, behind, value;
	struct l2 *l2;

	if (!hardware_group("tsc", 0, NULL))
		return;
	l2 = fresh("L2's TSC is L1's, without an offset");
	value = l2_tsc(l2, &before, &behind);
	check_range("TSC", value, before, behind);

	l2 = fresh("TSC_OFFSET is added");
	l2->vmcb->control.tsc_offset = RATIO_1;
	value = l2_tsc(l2, &before, &behind);
	check_range("TSC", value, before + RATIO_1, behind + RATIO_1);

	l2 = fresh("the TSC ratio scales L2's TSC, before TSC_OFFSET is added");
	if (!(machine.svm_features & SVM_FEATURE_TSC_RATE)) {
		point_skip("no TSC ratio");
		point_end();
		return;
	}
	wrmsr(MSR_TSC_RATIO, RATIO_HALF);
	value = l2_tsc(l2, &before, &behind);
	check_range("TSC", value, before / 2, behind / 2 + 1);
	l2->vmcb->control.tsc_offset = RATIO_1;
	value = l2_tsc(l2, &before, &behind);
	check_range("TSC with offset", value, before / 2 + RATIO_1, behind / 2 + 1 + RATIO_1);
	wrmsr(MSR_TSC_RATIO, RATIO_1);
	point_end();
}

/* A bit of SPEC_CTRL that the processor has: IBRS, STIBP, SSBD. 0: none. */
static uint64_t spec_ctrl_bit(void)
{
	static const struct {
		uint32_t feature;
		uint64_t bit;
	} bits[] = {{1u << 24, 1 << 2}, {1u << 15, 1 << 1}, {1u << 14, 1 << 0}};
	uint32_t ebx = cpuid(CPUID_SIZES, 0).ebx;

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		if (ebx & bits[i].feature)
			return bits[i].bit;
	}
	return 0;
}

void hardware_spec_ctrl(void)
{
	uint64_t bit = spec_ctrl_bit(), own;
	struct l2 *l2;

	if (!hardware_group("spec_ctrl", SVM_FEATURE_SPEC_CTRL, "the VMCB has no SPEC_CTRL"))
		return;
	l2 = fresh("VMRUN loads SPEC_CTRL, and L1's comes back");
	if (!bit) {
		point_skip("SPEC_CTRL has no bit to try it by");
		point_end();
		return;
	}
	own = rdmsr(MSR_SPEC_CTRL);
	l2->vmcb->save.spec_ctrl = bit;
	check("L2's", l2_rdmsr(l2, MSR_SPEC_CTRL), bit);
	check("L1's", rdmsr(MSR_SPEC_CTRL), own);

	l2 = fresh("#VMEXIT saves SPEC_CTRL, and L1's comes back");
	l2_wrmsr(l2, MSR_SPEC_CTRL, bit);
	check("in the VMCB", l2->vmcb->save.spec_ctrl, bit);
	check("L1's", rdmsr(MSR_SPEC_CTRL), own);
	point_end();
}
