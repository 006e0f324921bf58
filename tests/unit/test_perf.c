/*
 * svm/emulate/perf.c: performance counters count L1 and L2 as L1 wants, and never L0; and branch
 * records.
 */
#include "tests/unit/msr_rig.h"

#define ENABLE (1ull << 22)
#define GUEST  (1ull << 40)
#define HOST   (1ull << 41)

/* What the counter of a select does while L1 runs, and while its L2 does. */
static void assert_counts(uint64_t select, bool svme, bool in_l1, bool in_l2)
{
	uint64_t event = 0x76 | ENABLE, value;

	begin(true, true);
	vcpu.efer = svme ? EFER_SVME : 0;
	machine_has(0xc0010200, 0);
	assert_int_equal(write_of(0xc0010200, event | select), -1);
	assert_int_equal(machine.value & (GUEST | HOST), GUEST); /* never L0 */
	assert_int_equal(!!(machine.value & ENABLE), in_l1);
	assert_int_equal(read_of(0xc0010200, &value), -1);
	assert_int_equal(value, event | select);
	vcpu.guest_mode = true;
	if (vcpu.perf.split) {
		machine.exists = true;
		rewrite(&vcpu, 0xc0010200);
	}
	assert_int_equal(machine.value & (GUEST | HOST), GUEST);
	assert_int_equal(!!(machine.value & ENABLE), in_l2);
	vcpu.guest_mode = false;
	assert_int_equal(read_of(0xc0010200, &value), -1);
	assert_int_equal(value, event | select);
}

static void counters_never_count_l0(void **state)
{
	(void)state;
	assert_counts(0, true, true, true);
	assert_counts(GUEST | HOST, true, true, true);
	assert_counts(GUEST, true, false, true);
	assert_counts(HOST, true, true, false);
	assert_counts(HOST, false, true, true); /* the bits mean nothing without SVME */
	assert_counts(GUEST, false, true, true);
}

/* The old numbers are names of the same registers; a machine that keeps nothing goes on so. */
static void selects_by_two_names(void **state)
{
	uint64_t value;

	(void)state;
	begin(true, true);
	assert_int_equal(perf_select_of(0xc0010003), 3);
	assert_int_equal(perf_select_of(0xc0010004), -1);
	assert_int_equal(perf_select_of(0xc0010206), 3);
	assert_int_equal(perf_select_of(0xc0010207), -1);
	assert_int_equal(perf_select_of(0xc001020a), 5);
	assert_int_equal(perf_select_of(0xc001020c), -1);
	machine_has(0xc0010001, 0);
	assert_int_equal(write_of(0xc0010001, ENABLE | HOST), -1);
	assert_true(vcpu.perf.split);
	machine.value = 0;
	assert_int_equal(read_of(0xc0010001, &value), -1);
	assert_int_equal(value, 0);
	assert_int_equal(write_of(0xc0010001, 0), -1);
	assert_false(vcpu.perf.split);
}

/* With branch records of its own L2's register is in the VMCB, else it is L1's. */
static void branch_records(void **state)
{
	(void)state;
	begin(true, true);
	machine_has(MSR_DEBUGCTL, 0);
	assert_int_equal(write_of(MSR_DEBUGCTL, 3), -1);
	assert_int_equal(machine.value, 2);
	vmcb.control.virt_ext = VIRT_EXT_LBR;
	vmcb.control.clean = CLEAN_ALL;
	assert_int_equal(write_of(MSR_DEBUGCTL, 3), -1);
	assert_int_equal(vmcb.save.dbgctl, 3);
	assert_int_equal(vmcb.control.clean, CLEAN_ALL & ~CLEAN_LBR);
	assert_int_equal(machine.value, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_never_count_l0),
		cmocka_unit_test(selects_by_two_names),
		cmocka_unit_test(branch_records),
	};

	return cmocka_run_group_tests_name("perf", tests, NULL, NULL);
}
