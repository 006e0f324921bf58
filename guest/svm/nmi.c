/*
 * NMIs around and in L2: blocked until IRET, injected, passed through, intercepted. Relies on
 * guest/lib; APM 15.13.2, 15.20, 15.21.9.
 */
#include "guest/svm/suite.h"

enum {
	ROUNDS = 2000,
	NGPA_APIC = L2_HOLE, /* where L2 sees the APIC's page */
};

/* "mov [rbx], eax" sends the NMI; then a loop of rCX rounds. */
#define SEND       "\x89\x03"
#define LOOP       "\xff\xc9\x75\xfc" /* dec ecx; jnz to it */
#define LOOP_BYTES 4u

static const char old_rip[] = "the handler's first instruction exits with the RIP before it";

static void nothing(void)
{
}

/*
 * An L2 that sends itself an NMI by L1's APIC, so that it comes while L2 runs. ICR_HIGH is as L1
 * left it.
 */
static struct l2 *sender(const char *name, const struct code *code)
{
	struct l2 *l2 = fresh(name);

	nmi_handler = nothing;
	interrupt_count[VEC_NMI] = 0;
	apic_self_nmi(); /* sets ICR_HIGH, and is taken here */
	wait_a_while();
	interrupt_count[VEC_NMI] = 0;
	pt_map(&l2->npt, NGPA_APIC, apic_base(), 1, PT_RWU | PT_PCD | PT_PWT);
	if (!l2->nested)
		l2_use_root(l2);
	l2->regs.rbx = NGPA_APIC + APIC_ICR_LOW;
	l2->vmcb->save.rax = ICR_NMI;
	l2->regs.rcx = ROUNDS;
	load_code(l2, code);
	return l2;
}

static bool in_x2apic(void)
{
	if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC))
		return false;
	point_skip("the APIC is in x2APIC mode");
	return true;
}

static void physical(void)
{
	static const struct code send = CODE(SEND LOOP);
	struct l2 *l2;

	l2 = sender("an NMI that L1 does not intercept goes to L2's handler", &send);
	if (!in_x2apic()) {
		l2_run(l2);
		/* It is in its handler, as RSP tells, and RIP not. */
		if (!lets_pass(l2->vmcb->save.rsp != L2_STACK_TOP &&
		                       l2->vmcb->save.rip < L2_BOOT + send.length &&
		                       l2->vmcb->save.rip > L2_BOOT,
		               BOCHS, old_rip))
			l2_check_vector(l2, VEC_NMI);
		check("taken by L1", interrupt_count[VEC_NMI], 0);
	}

	point("another NMI waits until L2's handler returns");
	if (!in_x2apic() && lets_pass(true, BOCHS, old_rip)) {
		l2_start(l2, L2_RETURN); /* unblocks NMIs */
	} else if (!in_x2apic()) {
		/* L2 is in its handler: it sends one more, loops, and is not interrupted. */
		l2->regs.rcx = ROUNDS;
		l2->vmcb->save.rax = ICR_NMI;
		l2->vmcb->save.rip = L2_BOOT;
		l2_run(l2);
		check_through(l2, send.length);
		l2->regs.rcx = 1; /* the end of the loop that it comes back to */
		l2_start(l2, L2_RETURN);
		l2_check_vector(l2, VEC_NMI);
		l2_start(l2, L2_RETURN);
		l2_check_exit(l2, VMEXIT_VMMCALL);
		check("taken by L1", interrupt_count[VEC_NMI], 0);
	}

	l2 = sender("an NMI that L1 intercepts ends L2, and waits for STGI", &send);
	if (!in_x2apic() && emulator_is(BOCHS)) {
		point_known(BOCHS, "an NMI by IPI is lost while GIF=0");
	} else if (!in_x2apic()) {
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI;
		clgi();
		svm_run_gif0(&l2->regs, l2->vmcb);
		l2_check_exit(l2, VMEXIT_NMI);
		check("taken while GIF=0", interrupt_count[VEC_NMI], 0);
		stgi();
		wait_a_while();
		check("taken after STGI", interrupt_count[VEC_NMI], 1);
	}
	nmi_handler = NULL;
}

static void injected(void)
{
	static const struct code loop = CODE(LOOP);
	static const struct code send = CODE(SEND LOOP);
	struct l2 *l2 = fresh("an injected NMI arrives, whatever L2's IF");

	l2->regs.rcx = ROUNDS;
	load_code(l2, &loop);
	l2->vmcb->control.event_inj = event(EVENT_NMI, VEC_NMI);
	l2_run(l2);
	l2_check_vector(l2, VEC_NMI);
	check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT);

	l2 = fresh("an injected NMI takes vector 2, whatever vector EVENTINJ has");
	l2->regs.rcx = ROUNDS;
	load_code(l2, &loop);
	l2->vmcb->control.event_inj = event(EVENT_NMI, 0x20);
	l2_run(l2);
	if (l2->vmcb->save.rip == L2_CODE + L2_STUBS + 0x20 * 4 && emulator_is(QEMU))
		point_known(QEMU, "the vector of EVENTINJ counts");
	else
		l2_check_vector(l2, VEC_NMI);

	l2 = fresh("an injected NMI is not intercepted");
	l2->regs.rcx = ROUNDS;
	load_code(l2, &loop);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI;
	l2->vmcb->control.event_inj = event(EVENT_NMI, VEC_NMI);
	l2_run(l2);
	l2_check_vector(l2, VEC_NMI);

	l2 = fresh("L2 returns from an injected NMI to where it was");
	l2->regs.rcx = ROUNDS;
	load_code(l2, &loop);
	l2->vmcb->control.event_inj = event(EVENT_NMI, VEC_NMI);
	l2_run(l2);
	l2_start(l2, L2_RETURN);
	check_through(l2, loop.length);

	(void)send;
	l2 = fresh("IRET exits before it runs when L1 intercepts it");
	l2->regs.rcx = ROUNDS;
	load_code(l2, &loop);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IRET;
	l2->vmcb->control.event_inj = event(EVENT_NMI, VEC_NMI);
	l2_run(l2);
	l2_check_vector(l2, VEC_NMI);
	l2_start(l2, L2_RETURN);
	l2_check_exit(l2, VMEXIT_IRET);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_IRET;
	l2_run(l2);
	check_through(l2, loop.length);
}

void suite_nmi(void)
{
	if (tap_group("nmi", "physical"))
		physical();
	if (tap_group("nmi", "injected"))
		injected();
	point_end();
}
