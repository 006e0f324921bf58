/*
 * What #VMEXIT writes to VMCB12 and how L1 comes back, and what a VMRUN that fails leaves (AMD64
 * APM vol. 2, sections 15.5, 15.6, 15.20).
 */
#include "tests/unit/nested_rig.h"
#include "svm/exit.h"
#include "hv/phys.h"

#define DB_EVENT (VEC_DB | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID)

static uint64_t value_of(uint64_t number)
{
	return 0x1111111111111111 * (number % 13) + number;
}

/* The state that #VMEXIT saves: all numbers differ. */
static void fill_state(struct vmcb_save *save, uint64_t number)
{
	struct vmcb_segment *const segments[] = {&save->es, &save->cs,   &save->ss,
	                                         &save->ds, &save->gdtr, &save->idtr};
	uint64_t *const registers[] = {&save->efer, &save->cr4,    &save->cr3, &save->cr0,
	                               &save->dr7,  &save->dr6,    &save->rip, &save->rsp,
	                               &save->rax,  &save->rflags, &save->cr2, &save->g_pat};

	for (unsigned int i = 0; i < 6; i++, number += 4)
		*segments[i] =
			(struct vmcb_segment){.selector = (uint16_t)value_of(number),
		                              .attributes = (uint16_t)value_of(number + 1) & 0xfff,
		                              .limit = (uint32_t)value_of(number + 2),
		                              .base = value_of(number + 3)};
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(*registers); i++)
		*registers[i] = value_of(number++);
	save->dr6 &= ~0u;
	save->dr7 &= ~0u;
	save->cpl = (uint8_t)number;
}

static void assert_state(const struct vmcb_save *save, const struct vmcb_save *expected)
{
#define IS_STATE(member, offset, clean)                                                            \
	if ((offset) >= 0x400 && (clean) && (clean) != CLEAN_LBR)                                  \
		assert_memory_equal((const char *)save + (offset)-0x400,                           \
		                    (const char *)expected + (offset)-0x400,                       \
		                    sizeof(((struct vmcb *)0)->member));
	VMCB_FIELDS(IS_STATE)
#undef IS_STATE
	assert_int_equal(save->rflags, expected->rflags);
	assert_int_equal(save->rip, expected->rip);
	assert_int_equal(save->rsp, expected->rsp);
	assert_int_equal(save->rax, expected->rax);
}

static struct vmcb_save l2_state;

static void writes_state(struct vmcb *vmcb)
{
	fill_state(&vmcb->save, 100);
	l2_state = vmcb->save;
	vmcb->save.star = vmcb->save.fs.base = vmcb->save.kernel_gs_base = 0x77;
}

/* gPAT is L2's own with nested paging only; what VMLOAD and VMSAVE move stays where it is. */
static void state_is_saved(void **state)
{
	(void)state;
	for (int np = 0; np < 2; np++) {
		machine(ALL_FEATURES, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
		vmcb12->control.nested_ctl = np ? NESTED_CTL_NP_ENABLE : 0;
		vmcb12->control.nested_cr3 = NCR3;
		vmcb12->save.g_pat = 0x0606060606060606;
		vmcb12->save.star = vmcb12->save.fs.base = vmcb12->save.kernel_gs_base = 0x55;
		processor_runs = writes_state;
		run_l2(VMEXIT_HLT);
		assert_int_equal(entered.save.g_pat, np ? 0x0606060606060606 : HOST_PAT);
		assert_int_equal(vmcb01.save.g_pat, np ? HOST_PAT : l2_state.g_pat);
		if (!np)
			l2_state.g_pat = 0x0606060606060606;
		assert_state(&vmcb12->save, &l2_state);
		assert_int_equal(vmcb12->save.star, 0x55);
		assert_int_equal(vmcb12->save.fs.base, 0x55);
		assert_int_equal(vmcb12->save.kernel_gs_base, 0x55);
		assert_int_equal(noted.written, 1);
		assert_int_equal(noted.written_at, VMCB12);
	}
}

static void l1_comes_back(void **state)
{
	const struct vmcb_save *l1 = &vmcb01.save;
	struct vmcb_save before;

	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
	processor_runs = writes_state;
	assert_true(vmrun());
	/* VMRUN by 16-bit code at CPL 0 has none of this; what L2 had shows here all the same. */
	vmcb01.save.cpl = 3;
	vmcb01.save.cr0 &= ~(uint64_t)CR0_PE;
	vmcb01.save.rflags |= RFLAGS_VM;
	vmcb01.save.dr7 = 0x4ff;
	vmcb01.control.int_state = INT_STATE_SHADOW;
	vmcb01.control.event_inj = DB_EVENT;
	vmcb01.control.clean = CLEAN_ALL;
	before = vmcb01.save;
	*vcpu.seen[0] = vmcb01; /* so STRICT looks whether each change takes its clean bit away */
	l2_exits(VMEXIT_HLT, 0, 0);
	assert_true(l1->cr0 & CR0_PE);
	assert_int_equal(l1->cr0, before.cr0 | CR0_PE);
	assert_int_equal(l1->cpl, 0);
	assert_int_equal(l1->rflags, before.rflags & ~(uint64_t)RFLAGS_VM);
	assert_int_equal(l1->dr7, DR7_FIXED);
	assert_false(vcpu.event.gif);
	assert_int_equal(vmcb01.control.int_state, 0);
	assert_int_equal(vmcb01.control.event_inj, 0);
	/* No part of #VMEXIT: as L2 left them. */
	assert_int_equal(l1->cr2, l2_state.cr2);
	assert_int_equal(l1->dr6, l2_state.dr6);
	assert_int_equal(l1->cr3, before.cr3);
	assert_int_equal(l1->cr4, before.cr4);
	assert_int_equal(l1->efer, before.efer);
	assert_int_equal(l1->rip, before.rip);
	assert_int_equal(l1->rsp, before.rsp);
	assert_int_equal(l1->rax, before.rax);
	/* With GIF=0 interrupts are held back. */
	assert_true(vmcb01.control.int_ctl & INT_CTL_V_INTR_MASKING);
	assert_int_equal(vcpu.host_flags, RFLAGS_FIXED);
	assert_true(vmcb01.control.clean & CLEAN_I);
}

/* The single step over VMRUN traps behind it, once L1 is back. */
static void vmrun_is_stepped_over(void **state)
{
	(void)state;
	for (int tf = 0; tf < 2; tf++) {
		machine(ALL_FEATURES, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
		vmcb01.save.rflags |= tf ? RFLAGS_TF : 0;
		vmcb12->save.dr6 = DR6_FIXED | 1;
		run_l2(VMEXIT_HLT);
		assert_int_equal(vmcb01.control.event_inj, tf ? DB_EVENT : 0);
		assert_int_equal(vmcb01.save.dr6, DR6_FIXED | 1 | (tf ? DR6_BS : 0));
	}
}

static uint64_t info_of_the_processor;

static void writes_info(struct vmcb *vmcb)
{
	vmcb->control.exit_int_info = info_of_the_processor;
	vmcb->control.next_rip = 0x7654321;
	vmcb->control.int_state = INT_STATE_SHADOW;
}

static void exit_info(uint64_t event)
{
	info_of_the_processor = event;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
	vmcb12->control.event_inj = VEC_GP | 0x300 | EVENT_VALID | EVENT_ERROR_VALID | 5ull << 32;
	vmcb12->control.exit_int_info = 0x55;
	processor_runs = writes_info;
	run_l2(VMEXIT_HLT);
	assert_int_equal(entered.control.event_inj,
	                 VEC_GP | 0x300 | EVENT_VALID | EVENT_ERROR_VALID | 5ull << 32);
	assert_int_equal(entered.control.exit_int_info, 0);
	assert_int_equal(vmcb12->control.event_inj, 0);
	assert_int_equal(vmcb12->control.int_state, INT_STATE_SHADOW);
}

/* Bit 31 decides: what the processor left behind it is nobody's. */
static void events_in_flight(void **state)
{
	static const uint64_t events[] = {
		EVENT_VALID | 0x20,
		EVENT_VALID | VEC_NMI | EVENT_NMI << EVENT_TYPE_SHIFT,
		EVENT_VALID | VEC_DE | EVENT_EXCEPTION << EVENT_TYPE_SHIFT,
		EVENT_VALID | VEC_GP | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_ERROR_VALID |
			0xabcdull << 32,
		EVENT_VALID | 0x80 | EVENT_SOFT_INTR << EVENT_TYPE_SHIFT,
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(events) / sizeof(*events); i++) {
		exit_info(events[i]);
		assert_int_equal(vmcb12->control.exit_int_info, events[i]);
		exit_info(events[i] & ~EVENT_VALID);
		assert_int_equal(vmcb12->control.exit_int_info, 0);
	}
}

static void nrip_where_it_is_shown(void **state)
{
	(void)state;
	for (int nrip = 0; nrip < 2; nrip++) {
		machine(nrip ? SVM_FEATURE_NRIP : ALL_FEATURES & ~SVM_FEATURE_NRIP, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_HLT;
		vmcb12->control.next_rip = 0x55;
		processor_runs = writes_info;
		run_l2(VMEXIT_HLT);
		assert_int_equal(vmcb12->control.next_rip, nrip ? 0x7654321 : 0x55);
	}
}

/* Only the interrupt shadow of int_state is L1's to set. */
static void int_state_in(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		machine(ALL_FEATURES, true);
		vmcb12->control.int_state = 1ull << bit;
		assert_true(vmrun());
		assert_int_equal(vmcb02.control.int_state, bit ? 0 : INT_STATE_SHADOW);
	}
}

static void fill_exit(struct vmcb_control *control)
{
	control->exit_code = control->exit_info1 = control->exit_info2 = 0x5555;
	control->exit_int_info = 0x80005555;
	control->event_inj = EVENT_VALID | 0x31;
	control->int_ctl = INT_CTL_V_IRQ | 5;
	control->int_state = INT_STATE_SHADOW;
	control->next_rip = 0x5555;
	control->fetched_bytes = 5;
	control->clean = 0x123;
}

/* L1 goes on behind VMRUN with GIF=0, and finds nothing else changed. */
static void a_vmrun_that_fails(void **state)
{
	static struct vmcb before, l1;

	(void)state;
	for (int why = 0; why < 3; why++) {
		machine(ALL_FEATURES, true);
		fill_state(&vmcb12->save, 200);
		fill_exit(&vmcb12->control);
		if (why == 1) {
			good_vmcb12();
			fill_exit(&vmcb12->control);
			vmcb12->control.asid = 0;
		} else if (why == 2) { /* the walker's format comes from a host without paging */
			good_vmcb12();
			fill_exit(&vmcb12->control);
			vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
			vmcb01.save.cr0 &= ~(uint64_t)CR0_PG;
		}
		vmcb12->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
		before = *vmcb12;
		l1 = vmcb01;
		assert_false(vmrun());
		assert_int_equal(vmcb12->control.exit_code, ~0ull);
		before.control.exit_code = ~0ull;
		before.control.exit_info1 = before.control.exit_info2 = 0;
		before.control.exit_int_info = before.control.event_inj = 0;
		assert_memory_equal(vmcb12, &before, sizeof(before));
		assert_memory_equal(&vmcb01.save, &l1.save, sizeof(l1.save));
		assert_false(vcpu.event.gif);
		assert_true(vmcb01.control.int_ctl & INT_CTL_V_INTR_MASKING);
		assert_int_equal(noted.written, 1);
		assert_int_equal(noted.roots, 0);
		assert_int_equal(vcpu.counters.invalid, 1);
	}
}

/* 5-level tables by a host that has 5 levels, though CPUID did not offer them. */
static void five_levels_where_there_are_four(void **state)
{
	(void)state;
	for (int la57 = 0; la57 < 2; la57++) {
		for (int np = 0; np < 2; np++) {
			machine(ALL_FEATURES, true);
			features.la57 = la57;
			vmcb01.save.cr4 |= CR4_LA57;
			vmcb12->control.nested_ctl = np ? NESTED_CTL_NP_ENABLE : 0;
			assert_int_equal(vmrun(), la57 || !np);
		}
	}
}

static void refused(void)
{
	vcpu.vmcb->control.exit_code = VMEXIT_INVALID;
	handle_exit(&vcpu);
}

static void refused_in_32_bits(void)
{
	vcpu.vmcb->control.exit_code = 0xffffffff;
	handle_exit(&vcpu);
}

/* STRICT builds, as these tests are, say that a rule is missing. */
static void the_processor_refuses(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_true(vmrun());
	run(refused);
	assert_non_null(strstr(panicked, "refused VMCB02"));
	assert_true(vcpu.cpu.flush); /* who refuses does not flush */
	run(refused_in_32_bits);
	assert_non_null(strstr(panicked, "refused VMCB02"));
}

/* VMCB12 where L1 has no memory reads as ones, and is written to nobody's page. */
static void a_vmcb12_that_is_not_there(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	memset(phys(SINK_HPA), 0xff, PAGE_SIZE);
	nested_vmrun(&vcpu, RAM + sizeof(ram));
	assert_false(vcpu.guest_mode);
	assert_int_equal(vcpu.counters.invalid, 1);
	assert_ptr_equal(vcpu.nested.vmcb12, phys(SINK_HPA));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_saved),
		cmocka_unit_test(l1_comes_back),
		cmocka_unit_test(vmrun_is_stepped_over),
		cmocka_unit_test(events_in_flight),
		cmocka_unit_test(nrip_where_it_is_shown),
		cmocka_unit_test(int_state_in),
		cmocka_unit_test(a_vmrun_that_fails),
		cmocka_unit_test(five_levels_where_there_are_four),
		cmocka_unit_test(the_processor_refuses),
		cmocka_unit_test(a_vmcb12_that_is_not_there),
	};

	return cmocka_run_group_tests_name("nested_exit", tests, NULL, NULL);
}
