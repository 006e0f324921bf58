/*
 * The TPR while interrupts are held back: by L1's GIF, by L1's own V_INTR_MASKING, by L2's CLGI.
 * L1's CR8 is V_TPR then where that is L0's doing; and on an old KVM the real TPR holds them back,
 * too (svm/quirks/vector0.c).
 */
#include "svm/event/event.h"
#include "svm/exit.h"
#include "svm/quirks/quirks.h"
#include "tests/unit/nested_rig.h"

enum { TPR = 0x80 / 4, HELD = 0xf0, CR8_UNUSED = 0x77 };

static void on_kvm(void)
{
	machine(ALL_FEATURES, true);
	features.vector0 = true;
	vcpu.event.due.hold = true;
	vcpu.apic.page = APIC_HPA;
	apic_registers[TPR] = 0x25;
	cr8 = CR8_UNUSED; /* it is never looked at, nor written */
	update_interrupt_gate(&vcpu);
}

static void assert_tpr(uint32_t real, uint8_t own)
{
	settle(&vcpu);
	assert_int_equal(apic_registers[TPR], real);
	assert_int_equal(quirk_read_tpr(&vcpu), own);
	assert_int_equal(cr8, CR8_UNUSED);
}

static void set_v_tpr(uint32_t value)
{
	vcpu.vmcb->control.int_ctl = (vcpu.vmcb->control.int_ctl & ~0xffull) | value;
}

static uint32_t v_tpr(void)
{
	return vcpu.vmcb->control.int_ctl & 0xff;
}

static void by_gif(void **state)
{
	(void)state;
	on_kvm();
	assert_tpr(0x25, 0x25);
	set_gif(&vcpu, false);
	assert_tpr(HELD, 0x25);
	assert_int_equal(v_tpr(), 2);
	set_gif(&vcpu, true);
	assert_tpr(0x25, 0x25); /* all 8 bits */
	set_gif(&vcpu, false);
	settle(&vcpu);
	set_v_tpr(9); /* CR8 */
	assert_tpr(HELD, 0x90);
	quirk_write_tpr(&vcpu, 0x47); /* the APIC's register, behind it */
	assert_tpr(HELD, 0x47);
	assert_int_equal(v_tpr(), 4);
	set_gif(&vcpu, true);
	assert_tpr(0x47, 0x47);
	set_gif(&vcpu, false);
	settle(&vcpu);
	set_v_tpr(3);
	set_gif(&vcpu, true);
	assert_tpr(0x30, 0x30);
	/* No guest ran in between: nothing is written. */
	set_gif(&vcpu, false);
	set_gif(&vcpu, true);
	assert_tpr(0x30, 0x30);
}

/* L1 masks by itself, with IF=0, or with IF=1; L2's CR8 is L1's V_TPR then. */
static void by_l1(void **state)
{
	(void)state;
	for (unsigned int on = 0; on < 2; on++) {
		uint32_t expected = on ? 0x40 : HELD;

		on_kvm();
		set_gif(&vcpu, false);
		settle(&vcpu);
		set_v_tpr(4);
		vmcb12->control.int_ctl = INT_CTL_V_INTR_MASKING | 0xb;
		vmcb01.save.rflags = RFLAGS_FIXED | (on ? RFLAGS_IF : 0);
		assert_true(vmrun());
		assert_tpr(expected, 0x40);
		assert_int_equal(v_tpr(), 0xb);
		set_v_tpr(0xc);
		assert_tpr(expected, 0x40);
		set_gif(&vcpu, false); /* L2's CLGI */
		assert_tpr(HELD, 0x40);
		set_gif(&vcpu, true);
		assert_tpr(expected, 0x40);
		l2_exits(VMEXIT_VMRUN, 0, 0);
		assert_false(vcpu.guest_mode);
		assert_tpr(HELD, 0x40);
		assert_int_equal(v_tpr(), 4); /* L1's CR8 */
		set_gif(&vcpu, true);
		assert_tpr(0x40, 0x40);
	}
}

/* L2 without V_INTR_MASKING has L1's TPR: its CLGI is as L1's GIF=0. */
static void by_l2s_clgi(void **state)
{
	(void)state;
	on_kvm();
	assert_true(vmrun());
	assert_tpr(0x25, 0x25);
	set_gif(&vcpu, false);
	assert_tpr(HELD, 0x25);
	assert_int_equal(v_tpr(), 2);
	set_v_tpr(6);
	l2_exits(VMEXIT_VMRUN, 0, 0);
	assert_false(vcpu.guest_mode);
	assert_tpr(HELD, 0x60);
	assert_int_equal(v_tpr(), 6);
	set_gif(&vcpu, true);
	assert_tpr(0x60, 0x60);
}

/* A VMRUN that fails leaves GIF=0. */
static void by_a_failed_vmrun(void **state)
{
	(void)state;
	on_kvm();
	vmcb12->control.asid = 0;
	assert_false(vmrun());
	assert_tpr(HELD, 0x25);
}

/* Elsewhere the real TPR stays, and CR8 goes by the register. */
static void elsewhere(void **state)
{
	(void)state;
	on_kvm();
	features.vector0 = vcpu.event.due.hold = false;
	cr8 = 5;
	set_gif(&vcpu, false);
	settle(&vcpu);
	assert_int_equal(v_tpr(), 5);
	set_v_tpr(8);
	set_gif(&vcpu, true);
	assert_int_equal(cr8, 8);
	assert_int_equal(apic_registers[TPR], 0x25);
	/* The run loop knows by the machine. */
	assert_true(vmrun());
	l2_exits(VMEXIT_VMRUN, 0, 0);
	assert_false(vcpu.event.due.hold);
	features.vector0 = true;
	assert_true(vmrun());
	l2_exits(VMEXIT_VMRUN, 0, 0);
	assert_true(vcpu.event.due.hold);
	assert_int_equal(apic_registers[TPR], HELD);
	features.vector0 = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_gif),      cmocka_unit_test(by_l1),
		cmocka_unit_test(by_l2s_clgi), cmocka_unit_test(by_a_failed_vmrun),
		cmocka_unit_test(elsewhere),
	};

	return cmocka_run_group_tests_name("nested_tpr", tests, NULL, NULL);
}
