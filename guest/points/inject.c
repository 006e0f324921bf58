/*
 * EVENTINJ: what L1 injects arrives through L2's IDT, and is used up. EXITINTINFO: what was on its
 * way when the delivery met a nested fault. Relies on guest/lib; APM 15.20 and 15.7.2.
 */
#include "guest/points/points.h"

enum { VECTOR = 0x21, ERROR_CODE = 0x1238 };

static uint64_t event(enum event_type type, unsigned int vector)
{
	return EVENT_VALID | (uint64_t)type << EVENT_TYPE_SHIFT | vector;
}

static const uint64_t in_flight_bits = EVENT_VALID | EVENT_TYPE_MASK | EVENT_VECTOR_MASK;

/* Has the event on its way these type and vector? Only bit 31 says whether there is one. */
static void check_in_flight(struct l2 *l2, uint64_t expected)
{
	check("EXITINTINFO", l2->vmcb->control.exit_int_info & in_flight_bits, expected);
}

static void check_used_up(struct l2 *l2)
{
	check("EVENTINJ valid", l2->vmcb->control.event_inj & EVENT_VALID, 0);
}

static void inject(struct l2 *l2, uint64_t what)
{
	l2->vmcb->save.rsp = L2_STACK_TOP;
	l2->vmcb->control.event_inj = what;
	l2_start(l2, L2_VMMCALL);
}

static void delivered(struct l2 *l2)
{
	uint64_t rip;

	l2_aim(l2, L2_VMMCALL);
	rip = l2->vmcb->save.rip;

	point("an injected interrupt arrives, and EVENTINJ is cleared");
	inject(l2, event(EVENT_INTR, VECTOR));
	l2_check_vector(l2, VECTOR);
	check("rip on L2's stack", l2_stack(l2, 0), rip);
	check_used_up(l2);

	point("L2 returns from the handler to where it was");
	l2_start(l2, L2_RETURN);
	l2_check_done(l2);
	check("rip", l2->vmcb->save.rip, rip);
	check("rsp", l2->vmcb->save.rsp, L2_STACK_TOP);

	point("an injected software interrupt arrives");
	inject(l2, event(EVENT_SOFT_INTR, VECTOR + 1));
	l2_check_vector(l2, VECTOR + 1);
	check_used_up(l2);

	point("an injected NMI arrives");
	inject(l2, event(EVENT_NMI, VEC_NMI));
	l2_check_vector(l2, VEC_NMI);
	check_used_up(l2);
	l2_start(l2, L2_RETURN); /* unblocks NMIs */

	point("an injected exception arrives");
	inject(l2, event(EVENT_EXCEPTION, VEC_UD));
	l2_check_vector(l2, VEC_UD);
	check("rip on L2's stack", l2_stack(l2, 0), rip);
	check_used_up(l2);

	point("an injected exception brings its error code");
	if (l2->kind->bits == 16) {
		point_skip("real mode has no error codes");
		return;
	}
	inject(l2, event(EVENT_EXCEPTION, VEC_GP) | EVENT_ERROR_VALID |
	                   (uint64_t)ERROR_CODE << EVENT_ERROR_SHIFT);
	l2_check_vector(l2, VEC_GP);
	check("error code on L2's stack", l2_stack(l2, 0), ERROR_CODE);
	check("rip on L2's stack", l2_stack(l2, 1), rip);
	check_used_up(l2);
}

static void intercepted(struct l2 *l2)
{
	point("an injected exception is not intercepted");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_UD;
	inject(l2, event(EVENT_EXCEPTION, VEC_UD));
	l2_check_vector(l2, VEC_UD);
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] &= ~(1u << VEC_UD);
	l2->vmcb->save.rsp = L2_STACK_TOP;
}

static void in_flight(struct l2 *l2)
{
	uint64_t idt = pt_get(&l2->npt, L2_IDT, 1), stack = pt_get(&l2->npt, L2_STACK, 1);

	point("a nested fault on L2's IDT shows the interrupt in EXITINTINFO");
	pt_set(&l2->npt, L2_IDT, 1, 0);
	l2->flush = true;
	inject(l2, event(EVENT_INTR, VECTOR));
	l2_check_exit(l2, l2_fault_exit(l2));
	check("EXITINFO2, the page", l2->vmcb->control.exit_info2 & ~0xfffull, L2_IDT);
	check_in_flight(l2, event(EVENT_INTR, VECTOR));

	point("the interrupt arrives when L1 injects it again");
	pt_set(&l2->npt, L2_IDT, 1, idt);
	inject(l2, event(EVENT_INTR, VECTOR));
	l2_check_vector(l2, VECTOR);

	point("a nested fault on L2's IDT shows L2's own exception in EXITINTINFO");
	pt_set(&l2->npt, L2_IDT, 1, 0);
	l2->flush = true;
	l2->vmcb->save.rsp = L2_STACK_TOP;
	l2_start(l2, L2_UD2);
	l2_check_exit(l2, l2_fault_exit(l2));
	check_in_flight(l2, event(EVENT_EXCEPTION, VEC_UD));

	point("the exception arrives when L2 goes on");
	pt_set(&l2->npt, L2_IDT, 1, idt);
	l2_run(l2);
	l2_check_vector(l2, VEC_UD);

	point("a nested fault on L2's stack shows L2's own software interrupt");
	pt_set(&l2->npt, L2_STACK, 1, 0);
	l2->flush = true;
	l2->vmcb->save.rsp = L2_STACK_TOP;
	l2_start(l2, L2_SOFT);
	l2_check_exit(l2, l2_fault_exit(l2));
	check("EXITINFO2, the page", l2->vmcb->control.exit_info2 & ~0xfffull, L2_STACK);
	check_known("EXITINTINFO", l2->vmcb->control.exit_int_info & in_flight_bits,
	            event(EVENT_SOFT_INTR, L2_SOFT_VECTOR), event(EVENT_EXCEPTION, VEC_UD), BOCHS,
	            "EXITINTINFO shows the event before INTn");
	pt_set(&l2->npt, L2_STACK, 1, stack);

	point("an exit with nothing on its way shows nothing in EXITINTINFO");
	l2->vmcb->save.rsp = L2_STACK_TOP;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	check("EXITINTINFO valid", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
}

void points_inject(const struct l2_kind *kind)
{
	struct l2 *l2;

	if (!tap_group(kind->name, "inject"))
		return;
	l2 = l2_new(0, kind);
	delivered(l2);
	intercepted(l2);
	in_flight(l2);
}
