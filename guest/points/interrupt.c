/*
 * Physical interrupts: as #VMEXIT(INTR), held back by GIF=0 and by IF=0, and straight into L2.
 * Virtual ones: V_IRQ. Relies on guest/lib; APM 15.13, 15.17, 15.21.
 */
#include "guest/points/points.h"

enum {
	VECTOR = 0x3a, /* below L2_VECTORS, so that L2 has a handler, too */
	VIRTUAL = 0x2c,
	ROUNDS = 2000000,
	TIMER_COUNTS = 20000,
};

static const char uses_guest_if[] = "V_INTR_MASKING uses the guest's IF";
static const char loses_nmi[] = "an NMI by IPI is lost while GIF=0";

/* L2 is at a loop that ends after a while by itself; whether an interrupt ended it shows in RIP. */
static struct l2 *looping(bool l2_if)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	interrupt_count[VECTOR] = 0;
	l2->regs.rcx = ROUNDS;
	l2_aim(l2, L2_COMPUTE);
	l2->vmcb->save.rflags |= l2_if ? RFLAGS_IF : 0;
	return l2;
}

/* Takes what is pending, if anything is. */
static void window(void)
{
	sti();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	cli();
}

/* VMRUN with GIF=0 and L1's IF=1, an interrupt pending; the caller looks and ends with STGI. */
static void run_pending(struct l2 *l2)
{
	clgi();
	apic_self(VECTOR);
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
}

static void exits(void)
{
	struct l2 *l2 = looping(true);
	uint64_t rip = l2->vmcb->save.rip;

	point("an interrupt that is pending at VMRUN ends L2 at once");
	run_pending(l2);
	l2_check_exit(l2, VMEXIT_INTR);
	check("rip", l2->vmcb->save.rip, rip);
	check("taken by L1 while GIF=0", interrupt_count[VECTOR], 0);

	point("STGI lets L1 take it");
	stgi();
	window();
	check("taken by L1", interrupt_count[VECTOR], 1);
	cli();

	point("L2 goes on afterwards");
	l2_run(l2);
	l2_check_done(l2);

	point("L1's IF counts, not L2's");
	l2 = looping(false);
	run_pending(l2);
	if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && emulator_is(BOCHS))
		point_known(BOCHS, uses_guest_if);
	else
		l2_check_exit(l2, VMEXIT_INTR);
	stgi();
	window();
	check("taken by L1", interrupt_count[VECTOR], 1);

	point("a timer ends a looping L2");
	l2 = looping(true);
	l2->regs.rcx = 0; /* 2^32 rounds */
	apic_timer(VECTOR, TIMER_COUNTS);
	clgi();
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
	apic_timer_stop();
	l2_check_exit(l2, VMEXIT_INTR);
	check("taken by L1 while GIF=0", interrupt_count[VECTOR], 0);
	stgi();
	window();
	check("taken by L1", interrupt_count[VECTOR], 1);
}

static void masked(void)
{
	struct l2 *l2 = looping(true);

	point("with L1's IF=0 neither L1 nor L2 receives an interrupt");
	apic_self(VECTOR);
	l2_run(l2);
	if (l2->vmcb->control.exit_code == VMEXIT_INTR && emulator_is(BOCHS))
		point_known(BOCHS, uses_guest_if);
	else
		l2_check_done(l2);
	check("taken by L1", interrupt_count[VECTOR], 0);
	window();
	check("taken by L1 with IF=1", interrupt_count[VECTOR], 1);
	cli();

	point("CLGI holds an interrupt back, IF=1 or not");
	interrupt_count[VECTOR] = 0;
	clgi();
	sti();
	apic_self(VECTOR);
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	check("taken while GIF=0", interrupt_count[VECTOR], 0);
	stgi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	check("taken after STGI", interrupt_count[VECTOR], 1);
	cli();
}

static void straight(void)
{
	struct l2 *l2 = looping(true);

	point("an interrupt that L1 does not intercept goes to L2's handler");
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_INTR;
	l2->vmcb->control.int_ctl = 0;
	clgi();
	apic_self(VECTOR);
	svm_run_gif0(&l2->regs, l2->vmcb);
	stgi();
	l2_check_vector(l2, VECTOR);
	check("taken by L1", interrupt_count[VECTOR], 0);
	apic_eoi(VECTOR);
	window();
	check("taken by L1 afterwards", interrupt_count[VECTOR], 0);
}

static void virtual(void)
{
	struct l2 *l2 = l2_new(0, l2_widest());
	uint64_t ctl = INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR |
	               (uint64_t)VIRTUAL << INT_CTL_V_INTR_VECTOR_S;

	point("V_IRQ waits while L2's IF=0");
	l2->vmcb->control.int_ctl = ctl;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	check("V_IRQ", l2->vmcb->control.int_ctl & INT_CTL_V_IRQ, INT_CTL_V_IRQ);

	point("V_IRQ arrives when L2 sets IF, and is used up");
	l2->regs.rcx = ROUNDS;
	l2_start(l2, L2_STI);
	l2_check_vector(l2, VIRTUAL);
	check("V_IRQ", l2->vmcb->control.int_ctl & INT_CTL_V_IRQ, 0);

	point("VINTR, intercepted, tells L1 that L2's window is open");
	l2 = l2_new(0, l2_widest());
	l2->vmcb->control.int_ctl = ctl;
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_VINTR;
	l2->regs.rcx = ROUNDS;
	l2_start(l2, L2_STI);
	l2_check_exit(l2, VMEXIT_VINTR);
	check("IF", l2->vmcb->save.rflags & RFLAGS_IF, RFLAGS_IF);
}

static unsigned int seen_within;

/* Another NMI comes while the first one's handler runs; the count tells when it is taken. */
static void send_another(void)
{
	if (interrupt_count[VEC_NMI] > 1)
		return;
	apic_self_nmi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	seen_within = interrupt_count[VEC_NMI];
}

static void nothing(void)
{
}

static void nmis(void)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	point("an NMI reaches L1's handler");
	interrupt_count[VEC_NMI] = 0;
	nmi_handler = nothing;
	apic_self_nmi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	check("NMIs taken", interrupt_count[VEC_NMI], 1);

	point("an NMI in an NMI's handler waits for its IRET");
	interrupt_count[VEC_NMI] = 0;
	nmi_handler = send_another;
	apic_self_nmi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	check("NMIs taken within the handler", seen_within, 1);
	check("NMIs taken", interrupt_count[VEC_NMI], 2);

	nmi_handler = nothing;

	point("CLGI holds an NMI back");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, loses_nmi);
	} else {
		interrupt_count[VEC_NMI] = 0;
		clgi();
		apic_self_nmi();
		for (unsigned int i = 0; i < 1000; i++)
			cpu_relax();
		check("taken while GIF=0", interrupt_count[VEC_NMI], 0);
		stgi();
		for (unsigned int i = 0; i < 1000; i++)
			cpu_relax();
		check("taken after STGI", interrupt_count[VEC_NMI], 1);
	}

	point("an NMI, intercepted, ends L2 and is taken after STGI");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, loses_nmi);
	} else {
		interrupt_count[VEC_NMI] = 0;
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI;
		l2_aim(l2, L2_VMMCALL);
		clgi();
		apic_self_nmi();
		svm_run_gif0(&l2->regs, l2->vmcb);
		check("taken while GIF=0", interrupt_count[VEC_NMI], 0);
		l2_check_exit(l2, VMEXIT_NMI);
		stgi();
		for (unsigned int i = 0; i < 1000; i++)
			cpu_relax();
		check("taken after STGI", interrupt_count[VEC_NMI], 1);
	}
	nmi_handler = NULL;
}

void points_interrupt(void)
{
	if (!tap_group("machine", "interrupt"))
		return;
	exits();
	masked();
	straight();
	virtual();
	nmis();
	cli();
}
