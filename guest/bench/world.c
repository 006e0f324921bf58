/*
 * World switches: L1 runs L2, which comes back at its first instruction or does what L1 does not
 * intercept. Relies on bench.h.
 */
#include "guest/bench/bench.h"

static void light(struct l2 *l2)
{
	bench_row("L2 VMMCALL to L1 and back");
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2, L2_VMMCALL, VMEXIT_VMMCALL);

	bench_row("L2 HLT to L1 and back");
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2, L2_HLT, VMEXIT_HLT);

	bench_row("L2 CPUID to L1 and back");
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_CPUID;
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2, L2_CPUID, VMEXIT_CPUID);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_CPUID;
}

static void with_more(struct l2 *l2)
{
	struct vmcb_control *control = &l2->vmcb->control;

	bench_row("L2 to L1 and back with MSR and I/O maps");
	control->intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT | MISC1_IOIO_PROT;
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2, L2_VMMCALL, VMEXIT_VMMCALL);
	control->intercepts[INTERCEPT_MISC1] &= ~(MISC1_MSR_PROT | MISC1_IOIO_PROT);

	bench_row("L2 to L1 and back with CLGI, VMLOAD, VMSAVE, VMLOAD, STGI");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		uint64_t start;

		l2_aim(l2, L2_VMMCALL);
		start = bench_time();
		svm_run(&l2->regs, l2->vmcb);
		bench_sample(bench_time() - start);
		l2_check_exit(l2, VMEXIT_VMMCALL);
	}

	bench_row("L2 to L1 and back with TLB_CONTROL=1");
	control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2, L2_VMMCALL, VMEXIT_VMMCALL);
	control->tlb_control = TLB_CONTROL_NONE;

	bench_row("L2 to L1 and back with another ASID each time");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		control->asid = 1 + i % (machine.asids - 1);
		bench_trip(l2, L2_VMMCALL, VMEXIT_VMMCALL);
	}
	control->asid = 1;
}

static void alternating(void)
{
	struct l2 *l2s[2] = {bench_l2(0), bench_l2(1)};

	bench_row("L2 to L1 and back with two L2s that alternate");
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_trip(l2s[i % 2], L2_VMMCALL, VMEXIT_VMMCALL);
}

static void events(void)
{
	bool late = emulator_is(BOCHS);
	struct l2 *l2 = bench_l2(0);
	struct vmcb_control *control = &l2->vmcb->control;

	bench_row("L2 to L1 and back with an event injected");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		l2->vmcb->save.rsp = L2_STACK_TOP;
		control->event_inj = EVENT_VALID | EVENT_INTR << EVENT_TYPE_SHIFT | L2_SOFT_VECTOR;
		bench_trip(l2, L2_UD2, VMEXIT_VMMCALL);
		l2_check_vector(l2, L2_SOFT_VECTOR);
	}

	bench_row("a window for a virtual interrupt");
	if (late)
		point_known(BOCHS, "V_IRQ waits until IF changes");
	l2 = bench_l2(0);
	control = &l2->vmcb->control;
	control->intercepts[INTERCEPT_MISC1] |= MISC1_VINTR;
	for (unsigned int i = 0; i < bench_rounds; i++) {
		control->int_ctl = INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR |
		                   (uint64_t)L2_SOFT_VECTOR << INT_CTL_V_INTR_VECTOR_S;
		l2->vmcb->save.rflags |= RFLAGS_IF;
		bench_trip(l2, L2_UD2, late ? VMEXIT_VMMCALL : VMEXIT_VINTR);
	}
}

/* L2 times it, and tells in EAX. */
static void not_intercepted(void)
{
	struct l2 *l2 = bench_l2(0);

	bench_row("L2 CPUID that L1 does not intercept");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		l2_start(l2, BENCH_L2_CPUID);
		bench_sample(l2_eax(l2));
		l2_check_done(l2);
	}
}

void bench_world(void)
{
	struct l2 *l2;

	if (!tap_group("bench", "world"))
		return;
	l2 = bench_l2(0);
	light(l2);
	with_more(l2);
	alternating();
	events();
	not_intercepted();
	bench_end();
}
