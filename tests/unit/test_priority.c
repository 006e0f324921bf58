/*
 * What an exit left behind, and what else is due: which comes first (AMD64 APM vol. 2, table 8-9),
 * whose it is, what it becomes (sections 8.2.9, 15.12, 15.13, 15.17, 15.20, 15.28). svm/settle.c,
 * svm/event/priority.c, svm/event/event.c, with the rest of L0 noting what it is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static void load_cr2(uint64_t value);
#define write_cr2 load_cr2

#include "svm/event/event.c"
#include "svm/event/priority.c"
#include "svm/settle.c"

#define EXCEPTION(vector) ((vector) | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID)
#define WITH_CODE(vector, code)                                                                    \
	(EXCEPTION(vector) | EVENT_ERROR_VALID | (uint64_t)(code) << EVENT_ERROR_SHIFT)
#define EVENT_OF_NMI (VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID)
#define NO_EXIT      (~0ull)
#define NO_CR2       0x5a5aull

struct features features;
static struct vcpu vcpu;
static struct vmcb vmcb01, vmcb02;
static struct outcome exited;
static uint64_t exited_int_info, loaded_cr2;
static unsigned int inits, ended_early, watched;
static bool unseen, resets, stopped;
static jmp_buf reset;

static void load_cr2(uint64_t value)
{
	loaded_cr2 = value;
}

void quirk_hold_interrupts(struct vcpu *of)
{
	(void)of;
	fail();
}

void nested_exit(struct vcpu *of, uint64_t code, uint64_t info1, uint64_t info2)
{
	assert_true(of->guest_mode);
	exited = (struct outcome){code, info1, info2};
	exited_int_info = of->vmcb->control.exit_int_info;
	of->guest_mode = of->event.gif = false;
	of->vmcb = of->vmcb01;
}

void vcpu_init(struct vcpu *of)
{
	(void)of;
	inits++;
}

void vcpu_exit_again(struct vcpu *of)
{
	(void)of;
	ended_early++;
}

void watch_iret(struct vcpu *of)
{
	(void)of;
	watched++;
}

bool iret_leaves_unseen(const struct vmcb_save *save)
{
	(void)save;
	return unseen;
}

void processors_stop(void)
{
	stopped = true;
}

/* The others run no L1 amid it. */
void report_guest(void)
{
	assert_true(stopped);
	stopped = false;
}

void log_set_serial(bool on)
{
	(void)on;
}

void log_aloud(const char *format, ...)
{
	(void)format;
}

void reset_machine(const char *why)
{
	assert_non_null(why);
	resets = true;
	longjmp(reset, 1);
}

void panic(const char *format, ...)
{
	fail_msg("%s", format);
	__builtin_unreachable();
}

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	(void)of, (void)exit_code;
	fail();
	return NULL;
}

void strict_check_length(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
}

/* L1 runs, in protected mode, with GIF=1. */
static void begin(void)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb01, 0, sizeof(vmcb01));
	memset(&vmcb02, 0, sizeof(vmcb02));
	vmcb01.save.cr0 = vmcb02.save.cr0 = CR0_PE;
	vmcb01.save.cr4 = vmcb02.save.cr4 = CR4_MCE;
	vcpu.vmcb = vcpu.vmcb01 = &vmcb01;
	vcpu.vmcb02 = &vmcb02;
	vcpu.event.gif = true;
	exited = (struct outcome){NO_EXIT, 0, 0};
	loaded_cr2 = NO_CR2;
	inits = ended_early = watched = 0;
	unseen = resets = false;
}

/* L2 runs, of which L1 intercepts what has these codes; 0, a read of CR0, is for none. */
static void begin_l2(uint64_t code, uint64_t other)
{
	begin();
	vcpu.guest_mode = true;
	vcpu.vmcb = &vmcb02;
	vcpu.nested.ctl.intercepts[code / 32] |= 1u << code % 32;
	vcpu.nested.ctl.intercepts[other / 32] |= 1u << other % 32;
}

static void settled(void)
{
	if (!setjmp(reset))
		settle(&vcpu);
	assert_int_equal(vcpu.event.due.outcome, OUTCOME_RESUME);
}

static void assert_event(uint64_t event)
{
	assert_int_equal(vcpu.vmcb->control.event_inj, event);
}

/* The processor has injected it, and exited. */
static void goes_on(void)
{
	vcpu.vmcb->control.event_inj = 0;
	vcpu.vmcb->control.exit_code = VMEXIT_NMI;
	ended_early = 0;
	settled();
}

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
	static struct vmcb guest;

	(void)state;
	vcpu.vmcb = &guest;
	vcpu.event.due.outcome = OUTCOME_RESUME;
	vcpu.decode.unreadable = false;
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
		cmocka_unit_test(what_was_not_decoded),
		cmocka_unit_test(in_the_order_of_the_table),
		cmocka_unit_test(outcomes_come_before_it),
		cmocka_unit_test(gif_holds_all),
		cmocka_unit_test(nmis_wait_for_iret),
		cmocka_unit_test(init_of_l2),
		cmocka_unit_test(machine_check_without_mce),
		cmocka_unit_test(l1_gets_what_it_intercepts),
		cmocka_unit_test(error_codes),
		cmocka_unit_test(page_faults),
		cmocka_unit_test(double_faults),
		cmocka_unit_test(double_faults_of_l2),
		cmocka_unit_test(what_was_injected),
	};

	return cmocka_run_group_tests_name("priority", tests, NULL, NULL);
}
