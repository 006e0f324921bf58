/*
 * What VMCB02 is made of: int_ctl, intercepts, pause filter, TSC offset, ASID and TLB_CONTROL, and
 * no clean bit of L1's (AMD64 APM vol. 2, sections 15.14 to 15.16, 15.21, 15.33), for the features
 * of processors that no emulator is.
 */
#include "tests/unit/nested_rig.h"
#include "svm/exit.h"

/* What every processor has in int_ctl; APM vol. 2, table B-1. */
#define INT_CTL_PLAIN                                                                              \
	(INT_CTL_V_TPR_MASK | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO | INT_CTL_V_IGN_TPR |            \
	 INT_CTL_V_INTR_MASKING | INT_CTL_V_INTR_VECTOR)

/* L2 runs until an exit of L0's own, and comes back to L1 by another. */
static void enter(void)
{
	assert_true(vmrun());
	l2_exits(VMEXIT_CPUID, 0, 0);
	assert_true(vcpu.guest_mode);
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
}

/* AVIC, x2AVIC, virtual NMI and what is reserved: no bit by which L2 would reach the machine. */
static void int_ctl_has_what_was_offered(void **state)
{
	static const uint32_t svm[] = {SVM_FEATURE_NP, SVM_FEATURE_NP | SVM_FEATURE_VGIF,
	                               ALL_FEATURES & ~SVM_FEATURE_VGIF, ALL_FEATURES};

	(void)state;
	for (unsigned int i = 0; i < sizeof(svm) / sizeof(*svm); i++) {
		uint64_t offered = INT_CTL_PLAIN;

		if (svm[i] & SVM_FEATURE_VGIF)
			offered |= INT_CTL_V_GIF | INT_CTL_V_GIF_ENABLE;
		for (int bit = 0; bit <= 64; bit++) {
			uint64_t asked = bit < 64 ? 1ull << bit : ~0ull;

			machine(svm[i], true);
			vmcb12->control.int_ctl = asked;
			enter();
			assert_int_equal(entered.control.int_ctl, asked & offered);
			assert_int_equal(vmcb12->control.int_ctl, asked);
		}
	}
}

static uint64_t int_ctl_of_the_processor;

static void writes_int_ctl(struct vmcb *vmcb)
{
	vmcb->control.int_ctl = int_ctl_of_the_processor;
}

/* #VMEXIT writes V_TPR and V_IRQ, and V_GIF where it is virtual; APM vol. 2, section 15.6. */
static void int_ctl_comes_back(void **state)
{
	(void)state;
	for (int vgif = 0; vgif < 2; vgif++) {
		uint64_t written = INT_CTL_V_TPR_MASK | INT_CTL_V_IRQ | (vgif ? INT_CTL_V_GIF : 0);

		for (int bit = 0; bit < 64; bit++) {
			for (int inverted = 0; inverted < 2; inverted++) {
				uint64_t before = inverted ? ~(1ull << bit) : 1ull << bit;

				machine(ALL_FEATURES, true);
				before &= ~INT_CTL_V_GIF_ENABLE;
				before |= vgif ? INT_CTL_V_GIF_ENABLE : 0;
				vmcb12->control.int_ctl = before;
				int_ctl_of_the_processor = ~before;
				processor_runs = writes_int_ctl;
				vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_SMI;
				run_l2(VMEXIT_SMI);
				assert_int_equal(vmcb12->control.int_ctl, before ^ written);
			}
		}
	}
}

/* APM vol. 2, section 15.33: with V_GIF_ENABLE, L2's STGI and CLGI act on V_GIF. */
static void virtual_gif(void **state)
{
	enum { GIF = MISC2_STGI | MISC2_CLGI };
	static const uint32_t asked[] = {0, MISC2_STGI, MISC2_CLGI, GIF};

	(void)state;
	for (int offered = 0; offered < 2; offered++) {
		for (int enable = 0; enable < 2; enable++) {
			for (unsigned int i = 0; i < 4; i++) {
				bool is_virtual = offered && enable;

				machine(offered ? SVM_FEATURE_VGIF : 0, false);
				vmcb12->control.int_ctl = enable ? INT_CTL_V_GIF_ENABLE : 0;
				vmcb12->control.intercepts[INTERCEPT_MISC2] |= asked[i];
				enter();
				assert_int_equal(entered.control.intercepts[INTERCEPT_MISC2] & GIF,
				                 is_virtual ? asked[i] : GIF);
				assert_int_equal(!!(entered.control.int_ctl & INT_CTL_V_GIF_ENABLE),
				                 is_virtual);
			}
		}
	}
}

/* L1's intercepts are all there, L0's own besides, and none of what L1 was not shown. */
static void intercepts_of_both(void **state)
{
	static const uint32_t l0[INTERCEPT_WORDS] = {
		[INTERCEPT_EXCEPTION] = L0_EXCEPTIONS,
		[INTERCEPT_MISC1] = L0_MISC1,
		[INTERCEPT_MISC2] = L0_MISC2,
	};
	/* Traps behind writes come with SEV-ES, INVLPGB and TLBSYNC are hidden. */
	static const uint32_t shown[INTERCEPT_WORDS] = {~0u, ~0u,    ~0u,
	                                                ~0u, 0x7fff, MISC3_INVPCID | MISC3_MCOMMIT};

	(void)state;
	for (unsigned int bit = 0; bit < INTERCEPT_WORDS * 32; bit++) {
		if (bit == VMEXIT_CPUID)
			continue; /* enter() needs it to be L0's */
		machine(ALL_FEATURES, true);
		vmcb12->control.intercepts[bit / 32] |= 1u << bit % 32;
		enter();
		for (unsigned int i = 0; i < INTERCEPT_WORDS; i++) {
			uint32_t l1 = i == INTERCEPT_MISC2 ? MISC2_VMRUN : 0;

			l1 |= i == bit / 32 ? 1u << bit % 32 & shown[i] : 0;
			assert_int_equal(entered.control.intercepts[i], l1 | l0[i]);
			assert_int_equal(vcpu.nested.ctl.intercepts[i], l1);
		}
	}
}

static void pause_filter(void **state)
{
	static const uint32_t svm[] = {0, SVM_FEATURE_PAUSE_FILTER, SVM_FEATURE_PAUSE_THRESH,
	                               SVM_FEATURE_PAUSE_FILTER | SVM_FEATURE_PAUSE_THRESH};

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		bool untried = i & 1;
		uint32_t has = svm[i / 2];

		machine(has, untried);
		vmcb12->control.pause_filter_count = 0x1234;
		vmcb12->control.pause_filter_threshold = 0x5678;
		enter();
		assert_int_equal(entered.control.pause_filter_count,
		                 has & SVM_FEATURE_PAUSE_FILTER ? 0x1234 : 0);
		assert_int_equal(entered.control.pause_filter_threshold,
		                 untried && has & SVM_FEATURE_PAUSE_THRESH ? 0x5678 : 0);
	}
}

static void tsc_offsets_add(void **state)
{
	static const uint64_t cases[][3] = {
		{0, 0, 0},
		{1, 2, 3},
		{5, -7ull, -2ull},
		{-1ull, 1, 0},
		{1ull << 63, 1ull << 63, 0},
		{1ull << 63, (1ull << 63) - 1, -1ull},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		machine(ALL_FEATURES, true);
		vmcb01.control.tsc_offset = cases[i][0];
		vmcb12->control.tsc_offset = cases[i][1];
		enter();
		assert_int_equal(entered.control.tsc_offset, cases[i][2]);
		assert_int_equal(vmcb12->control.tsc_offset, cases[i][1]);
		assert_int_equal(vmcb01.control.tsc_offset, cases[i][0]);
	}
}

static void asids_are_one_off(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	for (uint32_t asid = 0; asid < ASIDS + 2; asid++) {
		/* L1 sees one fewer: 0 to ASIDS - 2. */
		bool good = asid >= 1 && asid <= ASIDS - 2;

		good_vmcb12();
		vmcb12->control.asid = asid;
		assert_int_equal(vmrun(), good);
		if (!good) {
			assert_int_equal(vmcb12->control.exit_code, ~0ull);
			continue;
		}
		assert_int_equal(vmcb02.control.asid, asid + 1);
		nested_exit(&vcpu, VMEXIT_HLT, 0, 0);
		assert_int_equal(vmcb12->control.asid, asid);
	}
}

/* The root is asked for under L1's own number, behind the note of the flush. */
static void tlb_control(void **state)
{
	enum { NP = NESTED_CTL_NP_ENABLE };

	(void)state;
	for (unsigned int asked = 0; asked < 256; asked++) {
		for (int by_asid = 0; by_asid < 2; by_asid++) {
			bool one = by_asid && (asked == 3 || asked == 7);
			bool all = asked && !one;

			machine(by_asid ? ALL_FEATURES : ALL_FEATURES & ~SVM_FEATURE_FLUSH_ASID,
			        false);
			vmcb12->control.asid = 9;
			vmcb12->control.tlb_control = (uint8_t)asked;
			vmcb12->control.nested_ctl = NP;
			vmcb12->control.nested_cr3 = NCR3;
			enter();
			assert_int_equal(entered.control.tlb_control, one   ? asked
			                                              : all ? TLB_CONTROL_FLUSH_ALL
			                                                    : 0);
			assert_int_equal(noted.flushes_of_all, all);
			assert_int_equal(noted.flushes_of_asid, one);
			if (one)
				assert_int_equal(noted.flushed_asid, 9);
			assert_int_equal(noted.roots, 1);
			assert_int_equal(noted.root_asid, 9);
			assert_int_equal(noted.flushes_before_root, one + all);
			assert_int_equal(vcpu.counters.flushes, one + all);
			assert_int_equal(vmcb12->control.tlb_control, asked);
			/* It is done; L1 does not get it, and the next entry asks for none. */
			assert_int_equal(vmcb02.control.tlb_control, 0);
			assert_int_equal(vmcb01.control.tlb_control, 0);
		}
	}
}

/* An exit of L1's before the processor saw VMCB02: the flush is still to be. */
static void a_flush_is_not_lost(void **state)
{
	static const uint8_t asked[] = {0, 1, 3, 7};

	(void)state;
	for (unsigned int i = 0; i < sizeof(asked); i++) {
		machine(ALL_FEATURES, true);
		vmcb12->control.tlb_control = asked[i];
		assert_true(vmrun());
		nested_exit(&vcpu, VMEXIT_INIT, 0, 0);
		assert_int_equal(vcpu.cpu.flush, asked[i] != 0);
	}
}

/* Each field of VMCB12 that counts, in two colours. */
static void colour(uint8_t with)
{
	struct vmcb_save *save = &vmcb12->save;
	struct vmcb_control *control = &vmcb12->control;

	good_vmcb12();
	memset(&save->es, with, 4 * sizeof(save->es));
	memset(&save->gdtr, with, sizeof(save->gdtr));
	memset(&save->idtr, with, sizeof(save->idtr));
	save->cs.attributes &= (uint16_t)~SEG_ATTR_DB;
	save->cpl = with & 3;
	save->cr0 |= with & 1 ? CR0_TS : CR0_MP;
	save->cr3 = save->cr2 = save->rip = save->rsp = save->rax = with * 0x1000u;
	save->cr4 = with & 1 ? CR4_PSE : CR4_PAE;
	save->efer |= with & 1 ? EFER_NXE : EFER_SCE;
	save->dr6 ^= with;
	save->dr7 ^= with;
	save->g_pat = with & 1 ? 0x0606060606060606 : 0x0404040404040404;
	save->dbgctl = save->br_from = save->br_to = with;
	save->last_excp_from = save->last_excp_to = with;
	control->intercepts[INTERCEPT_CR] = control->intercepts[INTERCEPT_DR] = with;
	control->pause_filter_count = control->pause_filter_threshold = with;
	control->tsc_offset = with;
	control->asid = with & 0x1f;
	control->int_ctl = with & 0xf;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = with * 0x1000u;
	control->virt_ext = VIRT_EXT_LBR;
	control->intercepts[INTERCEPT_MISC1] = MISC1_MSR_PROT | MISC1_IOIO_PROT;
	control->msrpm_base_pa = with & 1 ? MSRPM12 : OTHER_MSRPM12;
	control->iopm_base_pa = with & 1 ? IOPM12 : IOPM12 + 0x1000;
}

/* APM vol. 2, section 15.15: a hint only. VMCB02 is as if there had been no VMRUN before. */
static void clean_bits_of_l1_are_ignored(void **state)
{
	static struct vmcb fresh, before;

	(void)state;
	machine(ALL_FEATURES, true);
	colour(0x35);
	assert_true(vmrun());
	fresh = vmcb02;
	machine(ALL_FEATURES, true);
	colour(0x1a);
	assert_true(vmrun());
	before = vmcb02;
	nested_exit(&vcpu, VMEXIT_HLT, 0, 0);
	colour(0x35);
	vmcb12->control.clean = ~0u;
	assert_true(vmrun());
	assert_int_equal(vmcb02.control.clean, 0);
#define CHECK(member, offset, clean_bit)                                                           \
	if ((offset) != offsetof(struct vmcb, control.msrpm_base_pa) && /* other merged maps */    \
	    (offset) != offsetof(struct vmcb, control.iopm_base_pa)) {                             \
		assert_memory_equal(&vmcb02.member, &fresh.member, sizeof(fresh.member));          \
	}                                                                                          \
	changed |= memcmp(&vmcb02.member, &before.member, sizeof(before.member)) ? (clean_bit) : 0;
	uint32_t changed = 0;
	VMCB_FIELDS(CHECK)
#undef CHECK
	assert_int_equal(changed, CLEAN_ALL & ~CLEAN_AVIC);
}

/* ... and those of L0's last run of VMCB02 stay for what did not change. */
static void clean_bits_are_l0s(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_true(features.clean);
	for (int i = 0; i < 3; i++) {
		vmcb12->control.clean = i == 1 ? CLEAN_ALL : 0;
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
		run_l2(VMEXIT_HLT);
		assert_int_equal(entered.control.clean, i ? CLEAN_ALL & ~CLEAN_TPR : 0);
		assert_int_equal(vmcb02.control.clean, CLEAN_ALL);
		assert_int_equal(vmcb12->control.clean, i == 1 ? CLEAN_ALL : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(int_ctl_has_what_was_offered),
		cmocka_unit_test(int_ctl_comes_back),
		cmocka_unit_test(virtual_gif),
		cmocka_unit_test(intercepts_of_both),
		cmocka_unit_test(pause_filter),
		cmocka_unit_test(tsc_offsets_add),
		cmocka_unit_test(asids_are_one_off),
		cmocka_unit_test(tlb_control),
		cmocka_unit_test(a_flush_is_not_lost),
		cmocka_unit_test(clean_bits_of_l1_are_ignored),
		cmocka_unit_test(clean_bits_are_l0s),
	};

	return cmocka_run_group_tests_name("nested_entry", tests, NULL, NULL);
}
