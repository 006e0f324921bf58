/*
 * Machine checks in L1, in L2, and in L0 itself: whose they are, and when they come. svm/settle.c,
 * svm/event/machine_check.c; AMD64 APM vol. 2, sections 9.3, 15.12.16 and 15.17.
 */
#include "tests/unit/nested_rig.h"
#include "svm/event/event.h"
#include "svm/exit.h"

#define MC_EVENT  (18 | 3ull << 8 | EVENT_VALID)
#define MC_BIT    (1u << 18)
#define VMEXIT_MC (VMEXIT_EXCP_BASE + 18)

static uint64_t code_to_come;

static uint64_t event_of_gp(void)
{
	return 13 | 3ull << 8 | EVENT_ERROR_VALID | EVENT_VALID;
}

static void l1_exit(void)
{
	vcpu.vmcb->control.exit_code = code_to_come;
	vcpu.vmcb->control.event_inj = 0;
	handle_exit(&vcpu);
	settle(&vcpu);
}

static void l1_exits(uint64_t code)
{
	assert_false(vcpu.guest_mode);
	code_to_come = code;
	run(l1_exit);
}

/* A machine with SVM's features; L1 and its L2 have CR4.MCE so. */
static void begin(bool mce)
{
	machine(ALL_FEATURES, false);
	vmcb01.save.cr4 |= mce ? CR4_MCE : 0;
	vmcb12->save.cr4 |= mce ? CR4_MCE : 0;
	fake_leaves[FAKE_FEATURES].edx |= 1 << 7;
}

static void in_l1(void **state)
{
	(void)state;
	begin(true);
	l1_exits(VMEXIT_MC);
	assert_int_equal(vmcb01.control.event_inj, MC_EVENT);
	assert_false(vcpu.event.due.machine_check);
	begin(false);
	l1_exits(VMEXIT_MC);
	assert_non_null(strstr(panicked, "reset"));
}

/* In the window that takes an NMI; MCG_STATUS and the banks are not L0's to read. */
static void in_l0(void **state)
{
	(void)state;
	begin(true);
	machine_checks_in_window = 1;
	l1_exits(VMEXIT_NMI);
	assert_int_equal(vmcb01.control.event_inj, MC_EVENT);
	machine_checks_in_window = 0;
	l1_exits(VMEXIT_NMI); /* once */
	assert_int_equal(vmcb01.control.event_inj, 0);
	begin(false);
	machine_checks_in_window = 1;
	l1_exits(VMEXIT_NMI);
	assert_non_null(strstr(panicked, "reset"));
}

/* GIF=0 holds it, and so does another event. */
static void held(void **state)
{
	(void)state;
	begin(true);
	vcpu.event.gif = false;
	l1_exits(VMEXIT_MC);
	assert_int_equal(vmcb01.control.event_inj, 0);
	assert_true(vcpu.event.due.machine_check);
	assert_int_equal(noted.ended_early, 0);
	vcpu.event.gif = true;
	vmcb01.control.event_inj = event_of_gp();
	settle(&vcpu);
	assert_int_equal(vmcb01.control.event_inj, event_of_gp());
	assert_true(vcpu.event.due.machine_check);
	assert_int_equal(noted.ended_early, 1); /* it is looked at right after that */
	vmcb01.control.event_inj = 0;
	settle(&vcpu);
	assert_int_equal(vmcb01.control.event_inj, MC_EVENT);
}

/* What was being delivered comes first. */
static void amid_a_delivery(void **state)
{
	(void)state;
	begin(true);
	vmcb01.control.exit_int_info = event_of_gp();
	l1_exits(VMEXIT_MC);
	assert_int_equal(vmcb01.control.event_inj, event_of_gp());
	assert_true(vcpu.event.due.machine_check);
	vmcb01.control.exit_int_info = 0;
}

static void in_l2(void **state)
{
	(void)state;
	begin(true);
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = MC_BIT;
	run_l2(VMEXIT_MC);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_MC);
	assert_false(vcpu.event.due.machine_check);

	begin(true);
	assert_true(vmrun());
	l2_exits(VMEXIT_MC, 0, 0);
	assert_true(vcpu.guest_mode);
	assert_int_equal(vmcb02.control.event_inj, MC_EVENT);
}

/* Taken in L0 while L2 ran: L1's intercept counts, as it would have bare. */
static void in_l0_amid_l2(void **state)
{
	(void)state;
	begin(true);
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = MC_BIT;
	assert_true(vmrun());
	machine_checks_in_window = 1;
	l2_exits(VMEXIT_NMI, 0, 0);
	assert_false(vcpu.guest_mode);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_MC);

	begin(false);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_SHUTDOWN;
	assert_true(vmrun());
	l2_exits(VMEXIT_MC, 0, 0);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_SHUTDOWN);
}

/* The other world switch is for L2s, and where it has been chosen. */
static void predictions_of_l2(void **state)
{
	(void)state;
	for (unsigned int untrain = 0; untrain < 2; untrain++) {
		begin(true);
		features.untrain = untrain;
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_CPUID;
		run_l2(VMEXIT_CPUID);
		assert_int_equal(noted.untrained, untrain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_l1),
		cmocka_unit_test(in_l0),
		cmocka_unit_test(held),
		cmocka_unit_test(amid_a_delivery),
		cmocka_unit_test(in_l2),
		cmocka_unit_test(in_l0_amid_l2),
		cmocka_unit_test(predictions_of_l2),
	};

	return cmocka_run_group_tests_name("machine_check", tests, NULL, NULL);
}
