/*
 * NMIs around and in L2: blocked until IRET, injected, passed through, intercepted. Relies on
 * guest/lib; APM 15.13.2, 15.20, 15.21.9.
 */
#include "guest/svm/suite.h"

enum {
	ROUNDS = 2000,
	NGPA_APIC = L2_HOLE, /* where L2 sees the APIC's page */
	L1_VECTOR = 0x3d,
};

static volatile unsigned int steps;

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

static uint64_t handler_of(unsigned int vector)
{
	return L2_CODE + L2_STUBS + vector * 4;
}

/* An NMI, for L1 or for L2, that came while GIF was 0; L2 is to begin with the event. */
static struct l2 *with_event(const char *name, uint64_t injected)
{
	struct l2 *l2 = fresh(name);

	interrupt_count[VEC_NMI] = 0;
	l2->vmcb->control.event_inj = injected;
	l2_aim(l2, L2_VMMCALL);
	clgi();
	apic_self_nmi();
	wait_a_while();
	return l2;
}

/* The event has been delivered, and its handler has not begun. */
static void check_behind(struct l2 *l2, uint64_t exit, unsigned int vector)
{
	l2_check_exit(l2, exit);
	check("rip", l2->vmcb->save.rip, handler_of(vector));
	check("EXITINTINFO.V", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
}

/*
 * An injected event is delivered before anything that is pending, and what is pending is taken
 * before its handler's first instruction. APM 15.20.
 */
static void behind_events(void)
{
	static const struct {
		const char *name;
		uint64_t event;
	} rows[] = {
		{"an NMI ends L2 behind an injected #UD",
	         EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | VEC_UD},
		{"an NMI ends L2 behind an injected #GP",
	         EVENT_VALID | EVENT_ERROR_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | VEC_GP},
		{"an NMI ends L2 behind an injected interrupt",
	         EVENT_VALID | EVENT_INTR << EVENT_TYPE_SHIFT | L2_SOFT_VECTOR},
		{"an NMI ends L2 behind an injected software interrupt",
	         EVENT_VALID | EVENT_SOFT_INTR << EVENT_TYPE_SHIFT | L2_SOFT_VECTOR},
	};
	struct l2 *l2;

	nmi_handler = nothing;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		l2 = with_event(rows[i].name, rows[i].event);
		if (emulator_is(BOCHS_BARE)) {
			stgi();
			point_known(BOCHS, "an NMI by IPI is lost while GIF=0");
			continue;
		}
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI;
		svm_run_gif0(&l2->regs, l2->vmcb);
		check_behind(l2, VMEXIT_NMI, rows[i].event & EVENT_VECTOR_MASK);
		check("taken while GIF=0", interrupt_count[VEC_NMI], 0);
		stgi();
		wait_a_while();
		check("taken after STGI", interrupt_count[VEC_NMI], 1);
	}

	l2 = with_event("an NMI that L1 does not intercept comes behind an injected #UD",
	                event(EVENT_EXCEPTION, VEC_UD));
	if (emulator_is(BOCHS_BARE)) {
		point_known(BOCHS, "an NMI by IPI is lost while GIF=0");
	} else {
		svm_run_gif0(&l2->regs, l2->vmcb);
		l2_check_vector(l2, VEC_NMI);
		check("rip on L2's stack", l2_stack(l2, 0), handler_of(VEC_UD));
		check("taken by L1", interrupt_count[VEC_NMI], 0);
		l2_start(l2, L2_RETURN); /* unblocks NMIs */
	}
	stgi();
	nmi_handler = NULL;

	l2 = fresh("an interrupt of L1's ends L2 behind an injected #UD");
	interrupt_count[L1_VECTOR] = 0;
	l2->vmcb->control.event_inj = event(EVENT_EXCEPTION, VEC_UD);
	l2_aim(l2, L2_VMMCALL);
	clgi();
	apic_self(L1_VECTOR);
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
	cli();
	if (!lets_pass(l2->vmcb->control.exit_code == VMEXIT_VMMCALL, BOCHS,
	               "V_INTR_MASKING uses the guest's IF"))
		check_behind(l2, VMEXIT_INTR, VEC_UD);
	stgi();
	open_window();
	check("taken after STGI", interrupt_count[L1_VECTOR], 1);
}

/* Takes the single step, and no other. */
static bool end_of_step(struct trap_frame *frame)
{
	if (frame->vector != VEC_DB)
		return false;
	frame->flags &= ~RFLAGS_TF;
	steps++;
	return true;
}

/*
 * L1's own trap behind an instruction that L0 performs; then the NMI that the instruction let in.
 */
static void behind_step(void)
{
	point("an NMI comes behind the single step over STGI");
	if (lets_pass(true, BOCHS_BARE, "an NMI by IPI is lost while GIF=0"))
		return;
	nmi_handler = nothing;
	trap_handler = end_of_step;
	interrupt_count[VEC_NMI] = steps = 0;
	clgi();
	apic_self_nmi();
	wait_a_while();
	__asm__ volatile("pushf\n"
	                 "orl %0, (%%" STACK_POINTER ")\n"
	                 "popf\n"
	                 "stgi"
	                 :
	                 : "i"(RFLAGS_TF)
	                 : "memory", "cc");
	for (volatile unsigned int i = 0; i < ROUNDS; i++)
		;
	check("single steps", steps, 1);
	check("NMIs", interrupt_count[VEC_NMI], 1);
	trap_handler = NULL;
	nmi_handler = NULL;
}

void suite_nmi(void)
{
	if (tap_group("nmi", "behind")) {
		behind_events();
		behind_step();
	}
	if (tap_group("nmi", "physical"))
		physical();
	if (tap_group("nmi", "injected"))
		injected();
	point_end();
}
