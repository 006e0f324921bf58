/*
 * What processors do besides for a guest, as L1 has it for L2s: decode assists, records of
 * branches, SPEC_CTRL, shadow stacks (AMD64 APM vol. 2, sections 15.8.4, 15.23, 15.36.21, 18.13).
 * Emulators have none of it.
 */
#include "tests/unit/nested_rig.h"

static const uint8_t fetched[15] = {0x0f, 0x01, 0xd9, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void writes_fetched(struct vmcb *vmcb)
{
	vmcb->control.fetched_bytes = 15;
	memcpy(vmcb->control.fetched, fetched, sizeof(fetched));
}

static void run_with_fetched(uint64_t code)
{
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_PF | 1u << VEC_UD;
	vmcb12->control.fetched_bytes = 0x77;
	memset(vmcb12->control.fetched, 0x77, sizeof(fetched));
	processor_runs = writes_fetched;
	assert_true(vmrun());
	l2_exits(code, 0, 0x1234);
}

static void fetched_bytes_of_the_processors_exit(void **state)
{
	static const uint8_t counts[] = {0, 1, 14, 15};

	(void)state;
	machine(ALL_FEATURES, true);
	run_with_fetched(VMEXIT_EXCP_BASE + VEC_PF);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_EXCP_BASE + VEC_PF);
	assert_int_equal(vmcb12->control.fetched_bytes, 15);
	assert_memory_equal(vmcb12->control.fetched, fetched, sizeof(fetched));
	for (unsigned int i = 0; i < sizeof(counts); i++) {
		assert_true(vmrun());
		vmcb02.control.exit_code = VMEXIT_EXCP_BASE + VEC_PF;
		vmcb02.control.fetched_bytes = counts[i];
		nested_exit(&vcpu, VMEXIT_EXCP_BASE + VEC_PF, 0, 0);
		assert_int_equal(vmcb12->control.fetched_bytes, counts[i]);
	}
}

/* An NPF that L1's tables ask for is the processor's own. */
static void fetched_bytes_of_a_nested_fault(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
	vmcb12->control.nested_cr3 = NCR3;
	run_with_fetched(VMEXIT_NPF);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_NPF);
	assert_int_equal(vmcb12->control.fetched_bytes, 15);
	assert_memory_equal(vmcb12->control.fetched, fetched, sizeof(fetched));
}

/* SKINIT raises #UD, which L1 intercepts: the processor fetched nothing for that. */
static void none_for_an_exit_of_l0s(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_UD;
	writes_fetched(&vmcb02);
	assert_true(vmrun());
	vmcb02.control.exit_code = VMEXIT_SKINIT;
	nested_exit(&vcpu, VMEXIT_EXCP_BASE + VEC_UD, 0, 0);
	assert_int_equal(vmcb12->control.fetched_bytes, 0);
}

static void nothing_written_without_decode_assists(void **state)
{
	uint8_t untouched[sizeof(fetched)];

	(void)state;
	memset(untouched, 0x77, sizeof(untouched));
	for (int untried = 0; untried < 2; untried++) {
		/* With svm=tried L1 is not shown what the processor has. */
		machine(untried ? ALL_FEATURES & ~SVM_FEATURE_DECODE : ALL_FEATURES, untried);
		run_with_fetched(VMEXIT_EXCP_BASE + VEC_PF);
		assert_int_equal(vmcb12->control.exit_code, VMEXIT_EXCP_BASE + VEC_PF);
		assert_int_equal(vmcb12->control.fetched_bytes, 0x77);
		assert_memory_equal(vmcb12->control.fetched, untouched, sizeof(untouched));
	}
}

/* MOV to and from CR0-15 and DR0-15, INVLPG, INTn; APM vol. 2, section 15.8.1. */
static void exit_info_reaches_l1_as_it_is(void **state)
{
	static const uint64_t infos[] = {0,   1ull << 63, 1ull << 63 | 0xf,
	                                 0xf, ~0ull,      0xffff800012345678};

	(void)state;
	machine(ALL_FEATURES, true);
	for (uint64_t code = 0; code <= VMEXIT_INVLPG; code++) {
		if (code >= 0x40 && code != VMEXIT_SWINT && code != VMEXIT_INVLPG)
			continue;
		for (unsigned int i = 0; i < sizeof(infos) / sizeof(*infos); i++) {
			good_vmcb12();
			vmcb12->control.intercepts[code / 32] |= 1u << code % 32;
			assert_true(vmrun());
			l2_exits(code, infos[i], ~infos[i]);
			assert_false(vcpu.guest_mode);
			assert_int_equal(vmcb12->control.exit_code, code);
			assert_int_equal(vmcb12->control.exit_info1, infos[i]);
			assert_int_equal(vmcb12->control.exit_info2, ~infos[i]);
			assert_int_equal(noted.handled, NOBODY);
		}
	}
}

/* The fields of LBR virtualization, as numbers that differ. */
static void fill_lbr(struct vmcb_save *save, uint64_t first)
{
	save->dbgctl = first;
	save->br_from = first + 1;
	save->br_to = first + 2;
	save->last_excp_from = first + 3;
	save->last_excp_to = first + 4;
}

static void assert_lbr(const struct vmcb_save *save, uint64_t first)
{
	assert_int_equal(save->dbgctl, first);
	assert_int_equal(save->br_from, first + 1);
	assert_int_equal(save->br_to, first + 2);
	assert_int_equal(save->last_excp_from, first + 3);
	assert_int_equal(save->last_excp_to, first + 4);
}

static void writes_lbr(struct vmcb *vmcb)
{
	fill_lbr(&vmcb->save, 0x300);
}

static void run_with_lbr(uint64_t virt_ext)
{
	good_vmcb12();
	vmcb12->control.virt_ext = virt_ext;
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
	fill_lbr(&vmcb12->save, 0x100);
	fill_lbr(&vmcb02.save, 0x200);
	fill_lbr(&vmcb01.save, 0x400);
	processor_runs = writes_lbr;
	run_l2(VMEXIT_HLT);
	assert_lbr(&vmcb01.save, 0x400);
	assert_int_equal(vmcb12->control.virt_ext, virt_ext);
}

static void lbr_in_and_out(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	run_with_lbr(VIRT_EXT_LBR);
	assert_int_equal(entered.control.virt_ext, VIRT_EXT_LBR);
	assert_lbr(&entered.save, 0x100);
	assert_lbr(&vmcb12->save, 0x300);
	/* The next guest does not ask. */
	run_with_lbr(0);
	assert_int_equal(entered.control.virt_ext, 0);
	assert_lbr(&entered.save, 0x200);
	assert_lbr(&vmcb12->save, 0x100);
}

static void lbr_not_offered(void **state)
{
	(void)state;
	for (int untried = 0; untried < 2; untried++) {
		machine(untried ? ALL_FEATURES & ~SVM_FEATURE_LBR : ALL_FEATURES, untried);
		run_with_lbr(VIRT_EXT_LBR);
		assert_int_equal(entered.control.virt_ext, 0);
		assert_lbr(&entered.save, 0x200);
		assert_lbr(&vmcb12->save, 0x100);
	}
}

/* Virtual VMLOAD and VMSAVE, whose bit a hypervisor let pass: CVE-2021-3656. IBS, and the rest. */
static void virt_ext_is_l0s(void **state)
{
	(void)state;
	for (int lbr = 0; lbr < 2; lbr++) {
		machine(lbr ? ALL_FEATURES : ALL_FEATURES & ~SVM_FEATURE_LBR, true);
		for (int bit = 0; bit < 64; bit++) {
			run_with_lbr(1ull << bit);
			assert_int_equal(entered.control.virt_ext, lbr && !bit ? VIRT_EXT_LBR : 0);
		}
		run_with_lbr(~0ull);
		assert_int_equal(entered.control.virt_ext, lbr ? VIRT_EXT_LBR : 0);
	}
}

static void writes_spec_ctrl(struct vmcb *vmcb)
{
	vmcb->save.spec_ctrl = 4;
}

static void run_with_spec_ctrl(uint32_t svm)
{
	machine(svm, false);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
	vmcb01.save.spec_ctrl = 1;
	vmcb12->save.spec_ctrl = 2;
	processor_runs = writes_spec_ctrl;
	run_l2(VMEXIT_HLT);
	assert_int_equal(vmcb12->save.spec_ctrl, 2);
}

/* L1 is not told that VMRUN swaps it: it is one register to L1 and its L2s. */
static void spec_ctrl_is_one_register(void **state)
{
	(void)state;
	run_with_spec_ctrl(SVM_FEATURE_NP | SVM_FEATURE_SPEC_CTRL);
	assert_false(features.shown & SVM_FEATURE_SPEC_CTRL);
	assert_int_equal(entered.save.spec_ctrl, 1);
	assert_int_equal(vmcb01.save.spec_ctrl, 4);
	run_with_spec_ctrl(SVM_FEATURE_NP);
	assert_int_equal(entered.save.spec_ctrl, 0);
	assert_int_equal(vmcb01.save.spec_ctrl, 1);
}

static void fill_shadow_stack(struct vmcb_save *save, uint64_t first)
{
	save->s_cet = first;
	save->ssp = first + 1;
	save->isst_addr = first + 2;
}

static void assert_shadow_stack(const struct vmcb_save *save, uint64_t first)
{
	assert_int_equal(save->s_cet, first);
	assert_int_equal(save->ssp, first + 1);
	assert_int_equal(save->isst_addr, first + 2);
}

static void writes_shadow_stack(struct vmcb *vmcb)
{
	fill_shadow_stack(&vmcb->save, 0x300);
}

static void shadow_stacks_in_and_out(void **state)
{
	enum { ECX_SHADOW_STACKS = 1 << 7 };

	(void)state;
	for (int cet = 0; cet < 2; cet++) {
		machine(SVM_FEATURE_NP, false);
		fake_leaves[FAKE_STRUCTURED].ecx = cet ? ECX_SHADOW_STACKS : 0;
		features_init(&(struct feature_choice){.npt = true});
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
		vmcb12->save.cr4 = cet ? CR4_CET : 0;
		vmcb12->save.cr0 |= CR0_WP;
		fill_shadow_stack(&vmcb12->save, 0x100);
		fill_shadow_stack(&vmcb02.save, 0x200);
		fill_shadow_stack(&vmcb01.save, 0x400);
		processor_runs = writes_shadow_stack;
		run_l2(VMEXIT_HLT);
		assert_shadow_stack(&entered.save, cet ? 0x100 : 0x200);
		assert_shadow_stack(&vmcb12->save, cet ? 0x300 : 0x100);
		assert_shadow_stack(&vmcb01.save, 0x400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fetched_bytes_of_the_processors_exit),
		cmocka_unit_test(fetched_bytes_of_a_nested_fault),
		cmocka_unit_test(none_for_an_exit_of_l0s),
		cmocka_unit_test(nothing_written_without_decode_assists),
		cmocka_unit_test(exit_info_reaches_l1_as_it_is),
		cmocka_unit_test(lbr_in_and_out),
		cmocka_unit_test(lbr_not_offered),
		cmocka_unit_test(virt_ext_is_l0s),
		cmocka_unit_test(spec_ctrl_is_one_register),
		cmocka_unit_test(shadow_stacks_in_and_out),
	};

	return cmocka_run_group_tests_name("nested_extensions", tests, NULL, NULL);
}
