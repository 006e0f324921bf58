/*
 * svm/event/interrupt.c and svm/cpus/processors.c: NMIs of L1's and kicks, behind an event that is
 * being injected (AMD64 APM vol. 2, section 15.20), or while L0 waits for another processor;
 * internal SMIs (15.22), which no emulator has; and a panic that stops the others.
 */
#include "tests/unit/startup_rig.h"

#define A_KICK_IS_LOST (1ull << 32) /* after so many ticks */

static void nmis_and_kicks(void **state)
{
	(void)state;
	vcpu.cpu.kicked = 1;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_false(vcpu.event.due.nmi);
	vcpu.cpu.kicked = 1;
	pending_nmis = 2;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi);
	vcpu.event.due.nmi = false;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi);
}

/* startup.pml, S14: an NMI, the INIT that takes it away, an NMI behind it, amid attend_nmi(). */
static void nmi_behind_init_is_kept(void **state)
{
	(void)state;
	vcpu_nmi(&vcpu);
	vcpu_init(&vcpu);
	vcpu_nmi(&vcpu);
	rig_attend_nmi(STARTUP_NMI);
	assert_false(vcpu.event.due.nmi);
	assert_int_equal(vcpu.cpu.startup, STARTUP_INIT | STARTUP_NMI);
}

static void kick_by_another(void)
{
	vcpu_kick(&vcpu);
}

/* processors.pml, P1: each of them would send one, and L1 would get the second. */
static void two_kick_at_once(void **state)
{
	(void)state;
	base.processor = &first;
	meanwhile = kick_by_another;
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 1);
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 1);
	/* One that is lost is sent again, once. */
	tsc += A_KICK_IS_LOST;
	meanwhile = kick_by_another;
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 2);
	assert_true(vcpu_was_kicked(&vcpu));
	assert_false(vcpu_was_kicked(&vcpu));
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 3);
}

#define EVENT_OF_NMI (VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID)
#define EVENT_OF_UD  (VEC_UD | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID)

static void nmi_behind_an_event(void **state)
{
	(void)state;
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_UD);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_true(vcpu.event.due.nmi);
	settle(&vcpu);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_NMI);
	/* The next one waits for IRET, which exits anyway. */
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(sent, 1);
}

static void nmi_behind_an_event_of_l2(void **state)
{
	(void)state;
	run_l2(MISC1_NMI);
	vcpu.event.nmi_blocked =
		true; /* in L1, which has come here from its handler: it exits all the same */
	vmcb02.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(sent, 1);
	exits_after_event();
	settle(&vcpu);
	assert_int_equal(exit_code, VMEXIT_NMI);
	assert_true(vcpu.event.due.nmi);
}

/* A wait for another processor lets NMIs in: none is lost, and none is added. */
static void nmis_while_l0_waits(void **state)
{
	(void)state;
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, 0);
	pending_nmis = 1;
	processors_wait();
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, STARTUP_NMI);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_NMI);
	vcpu.cpu.kicked = true;
	pending_nmis = 1;
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, 0);
	assert_false(vcpu.cpu.kicked);
	pending_inits = 1;
	processors_wait();
	assert_true(vcpu.event.due.init);
	assert_int_equal(sent, 1); /* settle() may be over: the guest exits at once */
}

/* The NMI that was to end the guest behind its event has come too early: there is another. */
static void wait_behind_an_event(void **state)
{
	(void)state;
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(sent, 1);
	processors_wait(); /* it is still on its way */
	assert_int_equal(sent, 1);
	pending_nmis = 1;
	processors_wait();
	assert_int_equal(sent, 2);
	assert_true(vcpu.cpu.kicked);
	assert_int_equal(vcpu.cpu.startup, 0);
}

static unsigned int turns;

static void another_one_goes_on(void)
{
	processors_wait();
	if (++turns == 3)
		lock_release(&mmu_lock);
}

/* Who waits for a lock lets NMIs in, too, as often as it looks. */
static void nmi_while_waiting_for_a_lock(void **state)
{
	(void)state;
	assert_ptr_equal(mmu_lock.wait, processors_wait);
	lock_take(&mmu_lock);
	mmu_lock.wait = another_one_goes_on;
	pending_nmis = 1;
	lock_take(&mmu_lock);
	lock_release(&mmu_lock);
	mmu_lock.wait = processors_wait;
	assert_int_equal(turns, 3);
	assert_int_equal(vcpu.cpu.startup, STARTUP_NMI);
}

/* An external one is pending still, an internal one is not; APM vol. 2, section 15.22.2. */
static void smis(void **state)
{
	(void)state;
	vmcb01.control.exit_code = VMEXIT_SMI;
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 0);
	vmcb01.control.exit_info1 = SMI_INTERNAL;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 1);
	assert_true(vcpu.event.due.nmi);
	vmcb01.control.exit_code = VMEXIT_NMI; /* whose EXITINFO1 says nothing */
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 1);
}

static unsigned int turns_to_exit;

/* It exits by the kick, before its guest runs on. */
static void the_other_exits(void)
{
	if (turns_to_exit--)
		meanwhile = the_other_exits;
	else
		first.cpu.run++;
}

/* A panic goes on when no guest runs any more: L1 may be amid what it would disturb. */
static void stop_waits_for_guests(void **state)
{
	(void)state;
	first.cpu.startup = 0;
	first.cpu.run = 1;
	turns_to_exit = 5;
	meanwhile = the_other_exits;
	processors_stop();
	assert_int_equal(first.cpu.run, 2);
	assert_true(first.cpu.startup & STARTUP_STOP);
	assert_false(vcpu.cpu.startup & STARTUP_STOP);
	assert_int_equal(sent, 1);
	/* One that is in L0 finds it before it enters. */
	first.cpu.kicked = first.cpu.startup = 0;
	processors_stop();
	assert_true(first.cpu.startup & STARTUP_STOP);
}

static uint64_t too_long;

static void time_passes(void)
{
	assert_true(tsc < too_long);
	tsc += A_KICK_IS_LOST / 4;
	meanwhile = time_passes;
}

/* ... but not for ever. */
static void stop_ends_without_an_answer(void **state)
{
	uint64_t begin = tsc;

	(void)state;
	first.cpu.kicked = first.cpu.startup = 0;
	first.cpu.run = 1;
	too_long = tsc + 4 * A_KICK_IS_LOST;
	meanwhile = time_passes;
	processors_stop();
	assert_int_equal(first.cpu.run, 1);
	assert_in_range(tsc - begin, A_KICK_IS_LOST, 2 * A_KICK_IS_LOST);
	first.cpu.run = 0;
}

#define TEST(name) cmocka_unit_test_setup(name, rig_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nmis_and_kicks),
		TEST(nmi_behind_init_is_kept),
		TEST(two_kick_at_once),
		TEST(nmi_behind_an_event),
		TEST(nmi_behind_an_event_of_l2),
		TEST(nmis_while_l0_waits),
		TEST(wait_behind_an_event),
		TEST(nmi_while_waiting_for_a_lock),
		TEST(smis),
		TEST(stop_waits_for_guests),
		TEST(stop_ends_without_an_answer),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
