/*
 * svm/start/startup.c and svm/cpus/processors.c: what INIT and SIPI do to a processor that waits,
 * runs L1 or L2, with GIF 0 or 1 (AMD64 APM vol. 2, sections 15.13.4, 15.17, 15.28), behind an
 * event that is being injected (15.20); and INIT that comes to L0 as #SX, which no emulator has.
 */
#include "tests/unit/startup_rig.h"

static void init_makes_it_wait(void **state)
{
	(void)state;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	vcpu_sipi(&vcpu, 0x9e);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.save.cs.base, 0x9e000);
	vcpu_sipi(&vcpu, 0x11); /* it runs */
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.save.cs.base, 0x9e000);
}

/* However many there are, whatever their ids are; the first one's stands where it will. */
static void processors_have_ids(void **state)
{
	static struct vcpu all[PROCESSORS_MAX];
	static const unsigned int counts[] = {1, 2, 3, 8, 254, 255, 256, 257, 1000, PROCESSORS_MAX};

	(void)state;
	for (unsigned int n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
		unsigned int total = counts[n], self = total / 2;

		rig_no_processors();
		for (unsigned int i = 0; i < total; i++) {
			unsigned int place = i == 0 ? self : i <= self ? i - 1 : i;

			all[i].cpu.apic_id = 3 * place + (place > 300 ? 1u << 20 : 0);
			processors_add(&all[i]);
		}
		assert_int_equal(vcpu_count(), total);
		assert_int_equal(all[0].cpu.alone, total == 1);
		for (unsigned int i = 0; i < total; i++) {
			assert_ptr_equal(vcpu_at(i), &all[i]);
			assert_ptr_equal(vcpu_by_id(all[i].cpu.apic_id), &all[i]);
			assert_null(vcpu_by_id(all[i].cpu.apic_id + 1));
		}
		assert_null(vcpu_by_id(UINT32_MAX));
	}
}

static void init_of_the_first_resets(void **state)
{
	(void)state;
	rig_vcpu_is_first();
	vcpu_init(&vcpu);
	assert_int_equal(attend(), RESET);
}

static void gif_holds_init_and_sipi_is_lost(void **state)
{
	(void)state;
	set_gif(&vcpu, false);
	vcpu_init(&vcpu);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	vcpu_sipi(&vcpu, 7);
	assert_int_equal(attend(), 0);
	assert_int_equal(inits, 0);
	set_gif(&vcpu, true);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	assert_false(vcpu.event.due.init);
	assert_int_equal(vcpu.cpu.startup, STARTUP_WAITING);
}

static void l1_intercepts_init(void **state)
{
	(void)state;
	run_l2(MISC1_INIT);
	/* First what is to be injected; then the processor exits, for L0 to look again. */
	vmcb02.control.event_inj = EVENT_VALID | 0x31;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(vmcb02.control.event_inj, EVENT_VALID | 0x31);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, VMEXIT_INIT);
	assert_int_equal(vmcb02.control.exit_int_info, 0);
	assert_int_equal(inits, 0);
	set_gif(&vcpu, true);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
}

static void l1_does_not(void **state)
{
	(void)state;
	run_l2(0);
	vcpu_init(&vcpu);
	assert_int_equal(attend(), WAITS);
	assert_false(vcpu.guest_mode);
	assert_int_equal(exit_code, 0);
}

static void redirected(void **state)
{
	(void)state;
	vcpu.vm_cr = VM_CR_R_INIT;
	vcpu_init(&vcpu);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, VEC_SX);
	assert_int_equal(vcpu.cpu.startup, 0);
	/* Behind an event that is to be injected. */
	exception = -1;
	vmcb01.control.event_inj = EVENT_VALID | VEC_GP;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, -1);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_false(vcpu.event.due.nmi);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, VEC_SX);
}

static unsigned int an_init_then_sipi(void)
{
	pending_inits = inits == 1;
	if (inits == 2)
		vcpu_sipi(&vcpu, 6);
	vcpu.cpu.kicked = 0;
	return 1;
}

/* From an I/O APIC, say. An NMI in the same window is not lost. */
static void init_by_no_icr(void **state)
{
	(void)state;
	pending_inits = pending_nmis = 1;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi && vcpu.event.due.init);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	assert_false(vcpu.event.due.nmi || vcpu.event.due.init);
	/* One that waits for SIPI does so anew. */
	while_waiting = an_init_then_sipi;
	assert_int_equal(attend(), 0);
	assert_int_equal(inits, 2);
	assert_false(vcpu.event.due.init);
}

static unsigned int an_nmi_then_sipi(void)
{
	vcpu_sipi(&vcpu, 6);
	vcpu.cpu.kicked = 0;
	return 1;
}

static void nmi_waits_for_sipi(void **state)
{
	uint64_t nmi = VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID;

	(void)state;
	vcpu_nmi(&vcpu);
	vcpu_init(&vcpu); /* takes it away */
	assert_int_equal(attend(), WAITS);
	vcpu_nmi(&vcpu);
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), WAITS);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, nmi);
	assert_false(vcpu.event.due.nmi);
	/* A physical one. */
	vmcb01.control.event_inj = 0;
	vcpu_init(&vcpu);
	while_waiting = an_nmi_then_sipi;
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, nmi);
}

/* The real TPR is the APIC's own after INIT, whatever GIF was; and settle() looks each time. */
static void init_while_the_tpr_is_held(void **state)
{
	(void)state;
	features.vector0 = true;
	vcpu.event.due.hold = true;
	set_gif(&vcpu, false);
	vcpu.event.gif = true; /* which lets INIT through */
	vcpu.quirks.tpr_held = true;
	vcpu.quirks.tpr = 0x35;
	vmcb01.control.int_ctl |= 7; /* by CR8 */
	vcpu_init(&vcpu);
	vcpu_sipi(&vcpu, 8);
	attend();
	assert_int_equal(inits, 1);
	assert_false(vcpu.quirks.tpr_held || vcpu.event.tpr_in_vmcb);
	assert_true(vcpu.event.due.hold);
	holds = 0;
	settle(&vcpu);
	assert_int_equal(holds, 1);
	vcpu.event.due.hold = features.vector0 = false;
	settle(&vcpu);
	assert_int_equal(holds, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, rig_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_makes_it_wait),
		TEST(processors_have_ids),
		TEST(init_of_the_first_resets),
		TEST(gif_holds_init_and_sipi_is_lost),
		TEST(l1_intercepts_init),
		TEST(l1_does_not),
		TEST(redirected),
		TEST(init_by_no_icr),
		TEST(nmi_waits_for_sipi),
		TEST(init_while_the_tpr_is_held),
	};

	return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
