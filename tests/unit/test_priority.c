/*
 * What an exit left behind, and what else is due: which comes first (AMD64 APM vol. 2, table 8-9),
 * and whose it is (sections 15.12, 15.13, 15.17, 15.20, 15.28). svm/settle.c, svm/event/priority.c.
 */
#include "tests/unit/event_rig.h"

/* Row by row; what waits behind an event has the guest exit as soon as that is injected. */
static void in_the_order_of_the_table(void **state)
{
	(void)state;
	begin();
	vcpu.event.due.machine_check = vcpu.event.due.init = vcpu.event.due.nmi = true;
	settled();
	assert_event(EXCEPTION(VEC_MC));
	assert_int_equal(inits, 1); /* it waits for nobody's handler */
	assert_int_equal(ended_early, 0);
	assert_true(vcpu.event.due.nmi); /* for svm/start/startup.c to drop, if it takes the INIT */
	goes_on();
	assert_event(EVENT_OF_NMI);
	assert_int_equal(inits, 1);
	assert_true(vcpu.event.nmi_blocked && watched == 1);
	goes_on();
	assert_event(0);
	assert_int_equal(vcpu.event.due.any, 0);
}

static void outcomes_come_before_it(void **state)
{
	(void)state;
	for (unsigned int which = 0; which < 3; which++) {
		begin();
		vcpu.event.due.machine_check = which == 0;
		vcpu.event.due.init = which == 1;
		vcpu.event.due.nmi = which == 2;
		raise_exception(&vcpu, VEC_GP, 0x18);
		assert_event(0); /* the handler may not be done */
		settled();
		assert_event(WITH_CODE(VEC_GP, 0x18));
		assert_int_equal(ended_early, which != 1);
		assert_int_equal(inits, which == 1); /* it ends the guest */
		goes_on();
		assert_event(which == 0 ? EXCEPTION(VEC_MC) : which == 1 ? 0 : EVENT_OF_NMI);
	}
}

static void gif_holds_all(void **state)
{
	(void)state;
	begin();
	vcpu.event.due.machine_check = vcpu.event.due.init = vcpu.event.due.nmi = true;
	vcpu.event.gif = false;
	settled();
	vmcb01.control.event_inj = EXCEPTION(VEC_DB);
	settled();
	assert_event(EXCEPTION(VEC_DB));
	assert_int_equal(ended_early + inits, 0); /* there is nothing to look at behind it */
	assert_true(vcpu.event.due.machine_check && vcpu.event.due.init && vcpu.event.due.nmi);
}

static void nmis_wait_for_iret(void **state)
{
	(void)state;
	begin();
	vcpu.event.due.nmi = vcpu.event.nmi_blocked = true;
	settled();
	assert_event(0);
	vcpu.event.nmi_blocked = false;
	unseen = true;
	vmcb01.control.exit_code = VMEXIT_IRET; /* it has not run yet */
	settled();
	assert_event(0);
	vmcb01.control.exit_code = VMEXIT_CPUID;
	settled();
	assert_event(EVENT_OF_NMI);
	/* L1 intercepts: it is L1's whether L1's own handler runs or not. */
	begin_l2(VMEXIT_NMI, 0);
	vcpu.event.due.nmi = vcpu.event.nmi_blocked = true;
	vmcb02.control.exit_int_info = EXCEPTION(VEC_PF); /* of an earlier exit */
	settled();
	assert_int_equal(exited.code, VMEXIT_NMI);
	assert_int_equal(exited_int_info, 0);
	assert_true(vcpu.event.due.nmi);
}

static void init_of_l2(void **state)
{
	(void)state;
	begin_l2(VMEXIT_INIT, VMEXIT_NMI);
	vcpu.event.due.init = vcpu.event.due.nmi = true;
	vcpu.vm_cr = VM_CR_R_INIT;
	settled();
	assert_int_equal(exited.code, VMEXIT_INIT);
	assert_true(vcpu.event.due.init && !inits);
	assert_event(0);
	vcpu.event.gif = true; /* L1's STGI */
	settled();
	assert_event(WITH_CODE(VEC_SX, 1));
	assert_false(vcpu.event.due.init);
	assert_int_equal(inits, 0);
}

static void machine_check_without_mce(void **state)
{
	(void)state;
	begin_l2(VMEXIT_SHUTDOWN, 0);
	vmcb02.save.cr4 = 0;
	vcpu.event.due.machine_check = true;
	settled();
	assert_int_equal(exited.code, VMEXIT_SHUTDOWN);
	begin_l2(VMEXIT_EXCP_BASE + VEC_MC, 0);
	vmcb02.control.exit_int_info = EXCEPTION(VEC_BP); /* INT3, which begins again */
	vcpu.event.due.machine_check = true;
	settled();
	assert_int_equal(exited.code, VMEXIT_EXCP_BASE + VEC_MC);
	assert_int_equal(exited_int_info, 0);
	begin();
	vmcb01.save.cr4 = 0;
	vcpu.event.due.machine_check = true;
	settled();
	assert_true(resets);
}

/* The #VMEXIT comes when the handler is done, on what it has left of the guest and of GIF. */
static void l1_gets_what_it_intercepts(void **state)
{
	(void)state;
	begin_l2(VMEXIT_EXCP_BASE + VEC_DB, 0);
	vmcb02.save.rip = 0x1000;
	vmcb02.save.rflags = RFLAGS_TF | RFLAGS_RF;
	vmcb02.control.int_state = INT_STATE_SHADOW;
	finish_instruction(&vcpu, 3); /* L2's STGI */
	assert_true(vcpu.guest_mode);
	assert_int_equal(vmcb02.save.rflags, RFLAGS_TF);
	assert_int_equal(vmcb02.control.int_state, 0);
	vcpu.event.gif = true;
	vcpu.event.due.nmi = true;
	settled();
	assert_int_equal(exited.code, VMEXIT_EXCP_BASE + VEC_DB);
	assert_int_equal(vmcb02.save.rip, 0x1003);
	assert_true(vmcb02.save.dr6 & DR6_BS);
	assert_false(vcpu.event.gif);
	assert_event(0);
	assert_true(vcpu.event.due.nmi);
	/* What L1 does not intercept is L2's; of L1 itself nothing is. */
	begin_l2(VMEXIT_EXCP_BASE + VEC_DB, 0);
	raise_exception(&vcpu, VEC_UD, 7);
	settled();
	assert_int_equal(exited.code, NO_EXIT);
	assert_event(EXCEPTION(VEC_UD));
	vcpu.guest_mode = false;
	raise_exception(&vcpu, VEC_DB, 0);
	settled();
	assert_int_equal(exited.code, NO_EXIT);
	/* Whatever the intercepts say. */
	begin_l2(0, 0);
	exit_to_l1(&vcpu, VMEXIT_CR0_SEL_WRITE);
	settled();
	assert_int_equal(exited.code, VMEXIT_CR0_SEL_WRITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_the_order_of_the_table),
		cmocka_unit_test(outcomes_come_before_it),
		cmocka_unit_test(gif_holds_all),
		cmocka_unit_test(nmis_wait_for_iret),
		cmocka_unit_test(init_of_l2),
		cmocka_unit_test(machine_check_without_mce),
		cmocka_unit_test(l1_gets_what_it_intercepts),
	};

	return cmocka_run_group_tests_name("priority", tests, NULL, NULL);
}
