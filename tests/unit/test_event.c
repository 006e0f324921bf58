/*
 * What an event is when it is injected: error codes, CR2, what a second exception makes of a first
 * (AMD64 APM vol. 2, sections 8.2.9 and 15.20), and what was injected already. svm/event/event.c.
 */
#include "tests/unit/event_rig.h"

static void error_codes(void **state)
{
	(void)state;
	begin();
	vmcb01.save.cr0 = 0; /* real mode has none */
	raise_exception(&vcpu, VEC_GP, 0x10);
	settled();
	assert_event(EXCEPTION(VEC_GP));
	begin_l2(VMEXIT_EXCP_BASE + VEC_GP, 0);
	raise_exception(&vcpu, VEC_GP, 0x10);
	settled();
	assert_int_equal(exited.info1, 0x10);
}

static void page_faults(void **state)
{
	(void)state;
	begin();
	vmcb01.control.clean = CLEAN_CR2;
	raise_page_fault(&vcpu, 6, 0x7000);
	assert_int_equal(loaded_cr2, NO_CR2);
	settled();
	assert_event(WITH_CODE(VEC_PF, 6));
	assert_int_equal(vmcb01.save.cr2, 0x7000);
	assert_int_equal(loaded_cr2, 0x7000);
	assert_int_equal(vmcb01.control.clean, 0);
	/* L1's: CR2 stays as it is. */
	begin_l2(VMEXIT_EXCP_BASE + VEC_PF, 0);
	vmcb02.control.exit_int_info = EXCEPTION(VEC_PF);
	raise_page_fault(&vcpu, 2, 0x8000);
	settled();
	assert_int_equal(exited.code, VMEXIT_EXCP_BASE + VEC_PF);
	assert_int_equal(exited.info1, 2);
	assert_int_equal(exited.info2, 0x8000);
	assert_int_equal(exited_int_info, EXCEPTION(VEC_PF));
	assert_int_equal(loaded_cr2, NO_CR2);
}

/* Table 8-4 of section 8.2.9: what a second exception makes of the first, in its delivery. */
static void double_faults(void **state)
{
	static const struct {
		uint8_t first, second;
		unsigned int both;
	} rows[] = {
		{VEC_DE, VEC_GP, VEC_DF},     {VEC_GP, VEC_NP, VEC_DF},
		{VEC_PF, VEC_PF, VEC_DF},     {VEC_PF, VEC_TS, VEC_DF},
		{VEC_GP, VEC_PF, VEC_PF},     {VEC_DB, VEC_GP, VEC_GP},
		{VEC_UD, VEC_PF, VEC_PF},     {VEC_DF, VEC_GP, SHUTS_DOWN},
		{VEC_DF, VEC_PF, SHUTS_DOWN}, {VEC_GP, VEC_UD, VEC_UD},
		{VEC_DF, VEC_DB, VEC_DB},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		vmcb01.control.exit_int_info = EXCEPTION(rows[i].first);
		raise_fault(&vcpu, rows[i].second, 0);
		settled();
		assert_int_equal(resets, rows[i].both == SHUTS_DOWN);
		if (!resets)
			assert_int_equal(vmcb01.control.event_inj & EVENT_VECTOR_MASK,
			                 rows[i].both);
		/* An interrupt is no exception, and neither is what was never to be delivered. */
		for (unsigned int valid = 0; valid < 2; valid++) {
			begin();
			vmcb01.control.exit_int_info = rows[i].first | (valid ? EVENT_VALID : 0);
			raise_fault(&vcpu, rows[i].second, 0);
			settled();
			assert_int_equal(vmcb01.control.event_inj & EVENT_VECTOR_MASK,
			                 rows[i].second);
		}
		/* Another than a fault of the delivery's. */
		begin();
		vmcb01.control.exit_int_info = EXCEPTION(rows[i].first);
		raise_exception(&vcpu, rows[i].second, 0);
		settled();
		assert_int_equal(vmcb01.control.event_inj & EVENT_VECTOR_MASK, rows[i].second);
	}
}

static void double_faults_of_l2(void **state)
{
	(void)state;
	begin_l2(VMEXIT_EXCP_BASE + VEC_DF, 0);
	vmcb02.control.exit_int_info = EXCEPTION(VEC_PF);
	raise_page_fault(&vcpu, 0, 0x9000);
	settled();
	assert_int_equal(exited.code, VMEXIT_EXCP_BASE + VEC_DF);
	assert_int_equal(exited_int_info, EXCEPTION(VEC_PF));
	/* L1's intercept of the second one comes first. */
	begin_l2(VMEXIT_EXCP_BASE + VEC_DF, VMEXIT_EXCP_BASE + VEC_GP);
	vmcb02.control.exit_int_info = EXCEPTION(VEC_GP);
	raise_fault(&vcpu, VEC_GP, 0);
	settled();
	assert_int_equal(exited.code, VMEXIT_EXCP_BASE + VEC_GP);
	begin_l2(VMEXIT_SHUTDOWN, 0);
	vmcb02.control.exit_int_info = EXCEPTION(VEC_DF);
	raise_fault(&vcpu, VEC_GP, 0);
	settled();
	assert_int_equal(exited.code, VMEXIT_SHUTDOWN);
	assert_false(resets);
}

/* For one entry, at one RIP: then the same INT may be an instruction of the guest's. */
static void what_was_injected(void **state)
{
	uint64_t event = 0x80 | (uint64_t)EVENT_SOFT_INTR << EVENT_TYPE_SHIFT | EVENT_VALID;

	(void)state;
	begin();
	vmcb01.save.rip = 0x1000;
	settled();
	assert_true(is_from_instruction(&vcpu, event));
	vmcb01.control.exit_int_info = event; /* its delivery is interrupted, again and again */
	for (unsigned int i = 0; i < 3; i++) {
		inject_event(&vcpu, &vmcb01.control, event);
		settled();
		settled(); /* not entered: another processor wanted something */
		vmcb01.control.event_inj = 0;
		assert_false(is_from_instruction(&vcpu, event));
		redeliver_event(&vcpu);
		assert_event(event);
	}
	settled();
	vmcb01.control.event_inj = 0;
	vmcb01.save.rip = 0x1002;
	assert_true(is_from_instruction(&vcpu, event));
	vmcb01.save.rip = 0x1000;
	settled();
	assert_true(is_from_instruction(&vcpu, event));
	assert_int_equal(vcpu.event.due.any, 0);
}

/* Code that L0 cannot read comes to an end; what another processor changed is tried again. */
static void what_was_not_decoded(void **state)
{
	(void)state;
	begin();
	not_decoded(&vcpu);
	assert_int_equal(vcpu.event.due.outcome, OUTCOME_RESUME);
	vcpu.decode.unreadable = true;
	not_decoded(&vcpu);
	assert_int_equal(vcpu.event.due.outcome, OUTCOME_EXCEPTION);
	assert_int_equal(vcpu.event.outcome.code, VMEXIT_EXCP_BASE + VEC_UD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_codes),       cmocka_unit_test(page_faults),
		cmocka_unit_test(double_faults),     cmocka_unit_test(double_faults_of_l2),
		cmocka_unit_test(what_was_injected), cmocka_unit_test(what_was_not_decoded),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
