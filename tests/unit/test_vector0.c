/*
 * svm/quirks/vector0.c on an APIC that is an array, and svm/apic/apic.c's part in it: what the real
 * TPR is while interrupts are held back, what L1 reads and writes meanwhile, and the probe.
 * tests/unit/test_nested_tpr.c has the way by CR8 and when that is.
 */
#include "tests/unit/apic_rig.h"
#include "svm/quirks/quirks.h"

enum { TPR = 0x80, HELD = 0xf0, ISR_FF = 0x170, IRR_FF = 0x270 };
#define OF_FF (1u << 31)

static struct vcpu *const self = &vcpus[0];

static void kvm(void)
{
	machine(1);
	features.vector0 = true;
	registers[0][TPR / 4] = 0x35;
}

static uint32_t real_tpr(void)
{
	return vcpus[0].apic.page == APIC_NO_PAGE ? (uint32_t)x2_msr[8] : registers[0][TPR / 4];
}

/* As the gate would have it before an entry. */
static void enter_with(bool masked)
{
	vmcb.control.int_ctl =
		(vmcb.control.int_ctl & 0xff) | (masked ? INT_CTL_V_INTR_MASKING : 0);
	self->host_flags = RFLAGS_FIXED;
	quirk_hold_interrupts(self);
	assert_int_equal(self->quirks.tpr_held, masked);
	if (masked)
		assert_int_equal(real_tpr(), HELD);
}

/* MOV EAX, [disp32] */
static uint32_t load(unsigned int offset)
{
	static const uint8_t mov[] = {0xa1, 0, 0, 0, 0};

	memcpy(code, mov, sizeof(mov));
	code_length = sizeof(mov);
	vmcb.control.exit_info1 = NPF_FINAL;
	forget();
	assert_true(apic_npf(self, PAGE + offset));
	assert_int_equal(finished(), sizeof(mov));
	vmcb.control.exit_info1 = NPF_WRITE;
	return (uint32_t)vmcb.save.rax;
}

static void held_while_masked(void **state)
{
	(void)state;
	kvm();
	enter_with(false);
	assert_int_equal(real_tpr(), 0x35);
	enter_with(true);
	enter_with(true);
	assert_int_equal(quirk_read_tpr(self), 0x35);
	enter_with(false);
	assert_int_equal(real_tpr(), 0x35);
	/* V_INTR_MASKING with the host's IF=1 holds nothing back. */
	vmcb.control.int_ctl = INT_CTL_V_INTR_MASKING;
	self->host_flags = RFLAGS_FIXED | RFLAGS_IF;
	quirk_hold_interrupts(self);
	assert_int_equal(real_tpr(), 0x35);
}

/* What KVM leaves of an interrupt of an 8259's goes; what L1 has set for its L2 stays. */
static void v_irq(void **state)
{
	(void)state;
	kvm();
	for (unsigned int i = 0; i < 4; i++) {
		self->guest_mode = i & 1;
		self->nested.ctl.int_ctl = i & 2 ? INT_CTL_V_IRQ : 0;
		vmcb.control.int_ctl = INT_CTL_V_IRQ | INT_CTL_V_INTR_MASKING;
		vmcb.control.clean = CLEAN_ALL;
		quirk_hold_interrupts(self);
		assert_int_equal(!(vmcb.control.int_ctl & INT_CTL_V_IRQ), i != 3);
		assert_int_equal(!(vmcb.control.clean & CLEAN_TPR), i != 3);
	}
}

static void by_mmio(void **state)
{
	(void)state;
	kvm();
	assert_int_equal(load(TPR), 0x35);
	enter_with(true);
	assert_int_equal(load(TPR), 0x35);
	assert_int_equal(load(TPR + 1), 0);
	store(TPR, 0x47);
	assert_int_equal(real_tpr(), HELD);
	assert_int_equal(load(TPR), 0x47);
	registers[0][APIC_LDR / 4] = 0x12345678;
	assert_int_equal(load(APIC_LDR), 0x12345678);
	enter_with(false);
	assert_int_equal(real_tpr(), 0x47);
	store(TPR, 0x21);
	assert_int_equal(real_tpr(), 0x21);
	assert_int_equal(load(TPR), 0x21);
}

static void by_msr(void **state)
{
	uint64_t value = 7;

	(void)state;
	kvm();
	assert_false(x2apic_read_tpr(self, 0x808, &value)); /* the processor's #GP */
	self->apic.page = APIC_NO_PAGE;
	self->apic.base |= X2;
	x2_msr[8] = 0x52;
	on(0);
	enter_with(true);
	assert_true(x2apic_read_tpr(self, 0x808, &value));
	assert_int_equal(value, 0x52);
	assert_false(x2apic_read_tpr(self, 0x80a, &value));
	assert_true(x2apic_write(self, 0x808, 0x63));
	assert_false(x2apic_write(self, 0x808, 0x100));
	assert_int_equal(real_tpr(), HELD);
	assert_true(x2apic_read_tpr(self, 0x808, &value));
	assert_int_equal(value, 0x63);
	enter_with(false);
	assert_int_equal(real_tpr(), 0x63);
	features.vector0 = false;
	assert_false(x2apic_read_tpr(self, 0x808, &value));
}

/* While CR8 is V_TPR the newer of both is L1's, and both are the same to it. */
static void with_v_tpr(void **state)
{
	(void)state;
	kvm();
	self->event.tpr_in_vmcb = true;
	self->event.tpr_carried = 3;
	vmcb.control.int_ctl = 3;
	enter_with(true);
	assert_int_equal(load(TPR), 0x35);
	vmcb.control.int_ctl = INT_CTL_V_INTR_MASKING | 9; /* by CR8 */
	assert_int_equal(load(TPR), 0x90);
	vmcb.control.clean = CLEAN_ALL;
	store(TPR, 0x47);
	assert_int_equal(vmcb.control.int_ctl, INT_CTL_V_INTR_MASKING | 4);
	assert_false(vmcb.control.clean & CLEAN_TPR);
	assert_int_equal(self->event.tpr_carried, 4);
	assert_int_equal(load(TPR), 0x47);
	assert_int_equal(real_tpr(), HELD);
}

/* The page is hidden where this is so, and only there; other kept pages are only read-only. */
static void what_is_hidden(void **state)
{
	(void)state;
	kvm();
	assert_true(apic_hides(PAGE, PAGE_SIZE));
	assert_false(apic_hides(PAGE + PAGE_SIZE, PAGE_SIZE));
	assert_true(apic_covers(PAGE + PAGE_SIZE, PAGE_SIZE));
	vmcb.control.exit_info1 = NPF_FINAL;
	assert_false(apic_npf(self, PAGE + PAGE_SIZE));
	features.vector0 = false;
	assert_false(apic_hides(PAGE, PAGE_SIZE));
	assert_false(apic_npf(self, PAGE + TPR));
}

/* Nobody runs code there, and not every instruction is known. */
static void refused_loads(void **state)
{
	static const uint8_t push[] = {0xff, 0x35, 0x80, 0, 0xe0, 0xfe};

	(void)state;
	kvm();
	vmcb.control.exit_info1 = NPF_FINAL | NPF_FETCH;
	forget();
	assert_true(apic_npf(self, PAGE));
	assert_int_equal(exception, VEC_GP);
	memcpy(code, push, sizeof(push));
	code_length = sizeof(push);
	vmcb.control.exit_info1 = NPF_FINAL;
	forget();
	assert_true(apic_npf(self, PAGE + TPR));
	assert_int_equal(exception, VEC_GP);
	assert_int_equal(finished(), 0);
}

/* The real APIC's TPR is 0 again after its way through "disabled"; from mode to mode it stays. */
static void apic_moves(void **state)
{
	(void)state;
	kvm();
	enter_with(true);
	quirk_apic_moved(self);
	assert_int_equal(quirk_read_tpr(self), 0x35);
	registers[0][TPR / 4] = 0;
	assert_true(apic_write_base(self, OTHER | ON));
	assert_int_equal(registers[0][TPR / 4], HELD);
	assert_int_equal(quirk_read_tpr(self), 0);
	enter_with(false);
	registers[0][TPR / 4] = 0x44;
	quirk_apic_moved(self);
	assert_int_equal(real_tpr(), 0x44);
}

/* Linux before 6.4: the guest finds no IDT for vector 0. Later it halts. */
static bool is_old;
static unsigned int entries;

static void kvms_guest(struct vmcb *probed)
{
	bool masked = probed->control.int_ctl & INT_CTL_V_INTR_MASKING;

	entries++;
	assert_true(probed->save.rflags & RFLAGS_IF);
	assert_true(probed->control.intercepts[INTERCEPT_MISC1] & MISC1_HLT);
	assert_int_equal(probed->control.event_inj, 0);
	assert_int_equal(registers[0][0xf0 / 4], 0x1ff);
	assert_int_equal(registers[0][APIC_ICR / 4], 0x400ff);
	assert_int_equal(real_tpr(), 0);
	probed->control.exit_code = VMEXIT_HLT;
	if (masked && is_old) {
		probed->control.int_ctl |= INT_CTL_V_IRQ;
		probed->control.exit_code = VMEXIT_EXCP_BASE + VEC_GP;
	} else if (!masked) {
		assert_false(probed->control.int_ctl & INT_CTL_V_IRQ);
		if (entries < 3)
			return; /* not yet */
		probed->control.exit_code = VMEXIT_EXCP_BASE + VEC_GP;
		registers[0][ISR_FF / 4] = OF_FF;
		registers[0][APIC_EOI / 4] = 1;
	}
}

static void probe(void **state)
{
	static struct vmcb halts, spare;

	(void)state;
	halts.control.int_ctl = INT_CTL_V_INTR_MASKING;
	for (unsigned int i = 0; i < 4; i++) {
		kvm();
		features.vector0 = false;
		features.kvm = i & 2;
		is_old = i & 1;
		entries = 0;
		guest_runs = kvms_guest;
		self->cpu.halt = &halts;
		self->quirks.without_busy = &spare;
		self->vmcb_hpa = self->vmcb01_hpa = 0x77000;
		registers[0][0xf0 / 4] = 0xff;
		registers[0][IRR_FF / 4] = OF_FF;
		quirk_probe_vector0(self);
		assert_int_equal(features.vector0, i == 3);
		assert_int_equal(entries, i & 2 ? 3 : 0);
		assert_int_equal(registers[0][0xf0 / 4], 0xff);
		assert_int_equal(registers[0][APIC_EOI / 4], 0); /* by the EOI */
		assert_int_equal(real_tpr(), 0x35);
		assert_int_equal(self->vmcb_hpa, 0x77000);
	}
	guest_runs = NULL;
	apic_watch_tpr(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_while_masked),
		cmocka_unit_test(v_irq),
		cmocka_unit_test(by_mmio),
		cmocka_unit_test(by_msr),
		cmocka_unit_test(with_v_tpr),
		cmocka_unit_test(what_is_hidden),
		cmocka_unit_test(refused_loads),
		cmocka_unit_test(apic_moves),
		cmocka_unit_test(probe),
	};

	return cmocka_run_group_tests_name("vector0", tests, NULL, NULL);
}
