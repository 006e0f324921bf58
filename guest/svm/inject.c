/*
 * EVENTINJ of every type and vector: it arrives through L2's IDT, once, whatever L2's IF and what
 * L1 intercepts, and brings what EXITINTINFO shows when it cannot. Relies on guest/lib; APM 15.20.
 */
#include "guest/svm/suite.h"

enum {
	VECTOR = 0x21,
	VIRTUAL = 0x2d,
	ERROR_CODE = 0x5678,
	ERROR_VECTORS = 0x27d00 /* 8, 10 to 14, 17 */
};

static const char ignores_ev[] = "the error code goes by the vector, not by EVENTINJ";

/*
 * Without nRIP, KVM's own next RIP for these is that of L2's instruction, which it emulates to get
 * there, though L1's event has none; if the delivery faults at first, in KVM's tables, it is lost.
 */
static const char loses_software[] =
	"an injected INT3, INTO or INTn is lost where there is no nRIP";

static bool is_software(uint64_t what)
{
	uint64_t vector = what & EVENT_VECTOR_MASK;
	bool exception = what == event(EVENT_EXCEPTION, (unsigned int)vector);

	return what == event(EVENT_SOFT_INTR, (unsigned int)vector) ||
	       (exception && (vector == VEC_BP || vector == VEC_OF));
}

/* L2 has gone on where it was: at the beginning of L2_VMMCALL. */
static bool is_at_begin(struct l2 *l2, uint64_t rip)
{
	uint64_t now = l2->vmcb->save.rip, begin;

	l2_aim(l2, L2_VMMCALL);
	begin = l2->vmcb->save.rip;
	l2->vmcb->save.rip = now;
	return rip == begin;
}

static void run_with(struct l2 *l2, uint64_t what)
{
	l2->vmcb->control.event_inj = what;
	l2_start(l2, L2_VMMCALL);
}

/* Where in L2 the event found it, as L2's stack has it behind the error code, if there is one. */
static void check_arrived(struct l2 *l2, uint64_t what)
{
	unsigned int vector = what & EVENT_VECTOR_MASK;
	bool error = what & EVENT_ERROR_VALID;
	uint64_t rip;

	if (lets_pass(is_software(what) && is_at_begin(l2, l2->vmcb->save.rip), KVM,
	              loses_software))
		return;
	l2_check_vector(l2, vector);
	if (error)
		check("error code", l2_stack(l2, 0), ERROR_CODE);
	rip = l2_stack(l2, error);
	l2_aim(l2, L2_VMMCALL);
	check("rip on L2's stack", rip, l2->vmcb->save.rip);
	check("EVENTINJ", l2->vmcb->control.event_inj & EVENT_VALID, 0);
	check("EXITINTINFO", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
}

static void exceptions(void)
{
	static const uint8_t vectors[] = {VEC_DE, VEC_DB, VEC_BP, VEC_OF, VEC_BR, VEC_UD,
	                                  VEC_NM, VEC_DF, VEC_TS, VEC_NP, VEC_SS, VEC_GP,
	                                  VEC_PF, VEC_MF, VEC_AC, VEC_MC, VEC_XF};

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		unsigned int vector = vectors[i];
		bool error = ERROR_VECTORS >> vector & 1;
		/* INTO and BOUND are not in 64-bit code. */
		bool absent = vector == VEC_OF || vector == VEC_BR;
		struct l2 *l2 = l2_new(0, absent ? &l2_prot : l2_widest());
		uint64_t what;

		point_named("exception %u arrives", vector);
		if (!l2->nested && vector == VEC_PF)
			l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 0;
		what = error ? event_error(vector, ERROR_CODE) : event(EVENT_EXCEPTION, vector);
		run_with(l2, what);
		check_arrived(l2, what);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		unsigned int vector = vectors[i];
		bool error = ERROR_VECTORS >> vector & 1;
		bool absent = vector == VEC_OF || vector == VEC_BR;
		struct l2 *l2 = l2_new(0, absent ? &l2_prot : l2_widest());
		uint64_t what;

		point_named("exception %u, injected, is not intercepted", vector);
		l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = ~0u;
		what = error ? event_error(vector, ERROR_CODE) : event(EVENT_EXCEPTION, vector);
		run_with(l2, what);
		check_arrived(l2, what);
	}
}

static void error_codes(void)
{
	struct l2 *l2 = fresh("EVENTINJ.EV brings an error code to an exception that has none");

	run_with(l2, event_error(VEC_UD, ERROR_CODE));
	l2_check_vector(l2, VEC_UD);
	if (l2_stack(l2, 0) != ERROR_CODE && emulator_is(QEMU))
		point_known(QEMU, ignores_ev);
	else
		check_arrived(l2, event_error(VEC_UD, ERROR_CODE));

	l2 = fresh("without EVENTINJ.EV an exception brings no error code");
	run_with(l2, event(EVENT_EXCEPTION, VEC_GP));
	l2_check_vector(l2, VEC_GP);
	if (!l2_stack(l2, 0) && emulator_is(QEMU))
		point_known(QEMU, ignores_ev);
	else
		check_arrived(l2, event(EVENT_EXCEPTION, VEC_GP));

	l2 = fresh("an injected #PF leaves CR2 as the VMCB has it");
	l2->vmcb->save.cr2 = 0x12345678;
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 0;
	run_with(l2, event_error(VEC_PF, ERROR_CODE));
	check_arrived(l2, event_error(VEC_PF, ERROR_CODE));
	if (!lets_pass(l2->vmcb->save.cr2 != 0x12345678, BOCHS, "VMRUN does not load CR2"))
		check("CR2", l2->vmcb->save.cr2, 0x12345678);
}

static void interrupts(void)
{
	static const uint8_t vectors[] = {0, 0x0e, 0x20, 0x3f};
	struct l2 *l2;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(vectors); i++) {
		unsigned int vector = vectors[i / 2];
		bool soft = i % 2;

		point_named("%s interrupt %u arrives with IF=0",
		            soft ? "a software" : "an external", vector);
		l2 = l2_new(0, l2_widest());
		l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 0;
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_INTN | MISC1_VINTR;
		run_with(l2, event(soft ? EVENT_SOFT_INTR : EVENT_INTR, vector));
		check_arrived(l2, event(soft ? EVENT_SOFT_INTR : EVENT_INTR, vector));
	}

	l2 = fresh("an injected interrupt clears IF, and IRET brings it back");
	l2->vmcb->save.rflags |= RFLAGS_IF;
	run_with(l2, event(EVENT_INTR, VECTOR));
	l2_check_vector(l2, VECTOR);
	check("IF", l2->vmcb->save.rflags & RFLAGS_IF, 0);
	l2_start(l2, L2_RETURN);
	l2_check_done(l2);
	check("IF", l2->vmcb->save.rflags & RFLAGS_IF, RFLAGS_IF);

	l2 = fresh("an event is injected once");
	run_with(l2, event(EVENT_INTR, VECTOR));
	l2_check_vector(l2, VECTOR);
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);

	l2 = fresh("EVENTINJ without V injects nothing");
	run_with(l2, event(EVENT_INTR, VECTOR) & ~EVENT_VALID);
	l2_check_done(l2);

	l2 = fresh("EVENTINJ comes before V_IRQ");
	l2->vmcb->control.int_ctl |=
		INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR | (VECTOR + 1ull) << INT_CTL_V_INTR_VECTOR_S;
	l2->vmcb->save.rflags |= RFLAGS_IF;
	run_with(l2, event(EVENT_INTR, VECTOR));
	l2_check_vector(l2, VECTOR);
	check("V_IRQ", l2->vmcb->control.int_ctl & INT_CTL_V_IRQ, INT_CTL_V_IRQ);

	point("an injected INT3 finds the gate's DPL at CPL 3");
	l2 = new_user();
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_GP;
	run_with(l2, event(EVENT_EXCEPTION, VEC_BP));
	if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && emulator_is(QEMU))
		point_known(QEMU, "the gate's DPL is not looked at");
	else
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_GP);

	point("an injected #UD does not look at the gate's DPL at CPL 3");
	l2 = new_user();
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_GP;
	run_with(l2, event(EVENT_EXCEPTION, VEC_UD));
	l2_check_vector(l2, VEC_UD);
	check("CPL", l2->vmcb->save.cpl, 0);
}

#define V_IRQ                                                                                      \
	(INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR |                              \
	 (uint64_t)VIRTUAL << INT_CTL_V_INTR_VECTOR_S)

/* A trap gate: L2's IF stays as it was. */
static void keep_if(struct l2 *l2, unsigned int vector)
{
	enum { TRAP_GATE = 0x8f, TYPE = 5 };

	l2->low[L2_IDT + vector * (BITS64 ? 16 : 8) + TYPE] = TRAP_GATE;
}

static const char needs_edge[] = "V_IRQ that is pending at VMRUN waits until IF changes";

/* V_IRQ found L2 where it was, or came in the event's place. */
static bool is_lost(struct l2 *l2, unsigned int i)
{
	uint64_t rip = l2->vmcb->save.rip;

	if (i == 1)
		return is_at_begin(l2, rip);
	return rip == L2_CODE + L2_STUBS + VIRTUAL * 4ull && is_at_begin(l2, l2_stack(l2, 0));
}

/*
 * V_IRQ with an event: the event is delivered first, V_IRQ is taken before its handler's first
 * instruction if the handler has IF=1. APM 15.20, 15.21.4.
 */
static void v_irq_behind(const char *name, uint64_t what)
{
	unsigned int vector = what & EVENT_VECTOR_MASK;
	uint64_t handler = L2_CODE + L2_STUBS + vector * 4;

	for (unsigned int i = 0; i < 3; i++) {
		static const char *const ends[] = {"V_IRQ is taken right behind",
		                                   "VINTR, intercepted, exits right behind",
		                                   "V_IRQ waits for IF=1 behind"};
		struct l2 *l2 = l2_new(0, l2_widest());

		point_named("%s %s", ends[i], name);
		if (i < 2)
			keep_if(l2, vector);
		if (i == 1)
			l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_VINTR;
		l2->vmcb->control.int_ctl = V_IRQ;
		l2->vmcb->save.rflags |= RFLAGS_IF;
		run_with(l2, what);
		if (lets_pass(is_software(what) && is_lost(l2, i), KVM, loses_software))
			continue;
		if (i == 2) {
			l2_check_vector(l2, vector);
		} else if (!lets_pass(l2->vmcb->save.rip == handler &&
		                              l2->vmcb->control.exit_code == VMEXIT_VMMCALL,
		                      BOCHS, needs_edge)) {
			if (i == 0) {
				l2_check_vector(l2, VIRTUAL);
				check("rip on L2's stack", l2_stack(l2, 0), handler);
			} else {
				l2_check_exit(l2, VMEXIT_VINTR);
				check("rip", l2->vmcb->save.rip, handler);
			}
			check("V_IRQ", !!(l2->vmcb->control.int_ctl & INT_CTL_V_IRQ), i == 1);
		}
		check("EXITINTINFO", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
	}
}

static void behind(void)
{
	v_irq_behind("an injected #UD", event(EVENT_EXCEPTION, VEC_UD));
	v_irq_behind("an injected #GP", event_error(VEC_GP, ERROR_CODE));
	v_irq_behind("an injected interrupt", event(EVENT_INTR, VECTOR));
	v_irq_behind("an injected software interrupt", event(EVENT_SOFT_INTR, VECTOR));
	v_irq_behind("an injected NMI", event(EVENT_NMI, VEC_NMI));
}

void suite_inject(void)
{
	if (tap_group("inject", "exception")) {
		exceptions();
		error_codes();
	}
	if (tap_group("inject", "interrupt"))
		interrupts();
	if (tap_group("inject", "behind"))
		behind();
	point_end();
}
