/*
 * svm/nested/vmexit.c: a #VMEXIT to L1 of a VMRUN that the processor has not seen, since an INIT or
 * an NMI came between. No emulator keeps translations long enough to tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested/vmexit.c"

struct features features;
static struct vcpu vcpu;
static struct vmcb vmcb01, vmcb02, vmcb12;

void nested_give_state(volatile struct vmcb_save *to, const struct vmcb_save *from, bool g_pat)
{
	(void)g_pat;
	to->rip = from->rip;
}

uint64_t interrupted_event(struct vcpu *of)
{
	return of->vmcb02->control.exit_int_info;
}

static unsigned int barriers;

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	assert_int_equal(msr, 0x49);
	assert_int_equal(value, 1);
	barriers++;
	return true;
}

void perf_switch(struct vcpu *of)
{
	(void)of;
}

void nested_exit_extensions(struct vcpu *of, uint64_t code)
{
	(void)of, (void)code;
}

void l1_written(uint64_t gpa)
{
	assert_int_equal(gpa, vcpu.nested.slot->gpa);
}

void update_interrupt_gate(struct vcpu *of)
{
	(void)of;
}

void gate_to_l1(struct vcpu *of)
{
	of->event.gif = false;
}

void watch_iret(struct vcpu *of)
{
	(void)of;
}

bool load_pdptes(struct vcpu *of, unsigned int whose, const struct vmcb_save *save)
{
	(void)of, (void)whose, (void)save;
	return true;
}

void raise_step(struct vcpu *of)
{
	(void)of;
	fail();
}

void shut_down(struct vcpu *of)
{
	(void)of;
	fail();
}

static int setup(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb01, 0, sizeof(vmcb01));
	memset(&vmcb02, 0, sizeof(vmcb02));
	memset(&vmcb12, 0, sizeof(vmcb12));
	features = (struct features){.npt = true};
	vcpu.vmcb01 = &vmcb01;
	vcpu.vmcb = vcpu.vmcb02 = &vmcb02;
	vcpu.nested.vmcb12 = &vmcb12;
	vcpu.nested.slot = &vcpu.nested.vmcb02s[0];
	vcpu.nested.slot->gpa = 0x12000;
	vcpu.vmcb01_hpa = 0x1000;
	vcpu.vmcb_hpa = vcpu.vmcb02_hpa = 0x2000;
	vcpu.guest_mode = vcpu.event.gif = true;
	return 0;
}

static void assert_exit(uint64_t code, bool flush)
{
	nested_exit(&vcpu, code, 0, 0);
	assert_int_equal(vmcb12.control.exit_code, code);
	assert_false(vcpu.guest_mode || vcpu.event.gif);
	assert_ptr_equal(vcpu.vmcb, &vmcb01);
	assert_int_equal(vcpu.vmcb_hpa, vcpu.vmcb01_hpa);
	assert_int_equal(vcpu.cpu.flush, flush);
}

/* Each kind; the next entry, L1's, flushes: it may find the ASID in use again. APM 15.16.2. */
static void a_flush_that_did_not_happen(void **state)
{
	static const uint8_t kinds[] = {TLB_CONTROL_FLUSH_ALL, TLB_CONTROL_FLUSH_ASID,
	                                TLB_CONTROL_FLUSH_ASID_NONGLOBAL};

	for (size_t i = 0; i < sizeof(kinds); i++) {
		setup(state);
		vmcb02.control.tlb_control = kinds[i];
		assert_exit(i ? VMEXIT_NMI : VMEXIT_INIT, true);
	}
}

/* Each entry clears TLB_CONTROL (vcpu_run()): there is nothing to be done again. */
static void a_flush_that_did(void **state)
{
	(void)state;
	assert_exit(VMEXIT_NMI, false);
}

/* What others have asked for meanwhile stays. */
static void a_flush_for_others(void **state)
{
	(void)state;
	vcpu.cpu.flush = true;
	assert_exit(VMEXIT_CPUID, true);
}

/* Where L1 has turned AutoIBRS on, which the processor keeps for hosts only; else for nothing. */
static void predictions_are_kept_apart(void **state)
{
	for (unsigned int i = 0; i < 8; i++) {
		bool l1_has_it = i & 1, real = i & 2, untrained = i & 4;

		setup(state);
		barriers = 0;
		features.auto_ibrs = real;
		features.untrain = untrained;
		vmcb01.save.efer = l1_has_it ? EFER_AIBRSE : 0;
		vmcb02.save.efer = l1_has_it ? 0 : EFER_AIBRSE;
		assert_exit(VMEXIT_CPUID, false);
		assert_int_equal(barriers, l1_has_it && real && !untrained);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flush_that_did_not_happen),
		cmocka_unit_test(predictions_are_kept_apart),
		cmocka_unit_test_setup(a_flush_that_did, setup),
		cmocka_unit_test_setup(a_flush_for_others, setup),
	};

	return cmocka_run_group_tests_name("nested_vmexit", tests, NULL, NULL);
}
