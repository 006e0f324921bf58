/*
 * VMRUNs that must fail with VMEXIT_INVALID, -1 in 64 bits. Each breaks one rule of a VMCB that
 * works otherwise. Relies on guest/lib; APM 15.5.1. checklist.md: VMRUN, and when it fails.
 */
#include "guest/points/points.h"

static const char half[] = "VMEXIT_INVALID is -1 in the lower 32 bits only";

static struct l2 *fresh(const char *name)
{
	point(name);
	return l2_new(0, l2_widest());
}

static void check_invalid(struct l2 *l2)
{
	l2_start(l2, L2_VMMCALL);
	check_known("exit code", l2->vmcb->control.exit_code, VMEXIT_INVALID, 0xffffffffull,
	            QEMU_BARE, half);
}

static void control_area(void)
{
	struct l2 *l2;

	l2 = fresh("the VMRUN intercept clear");
	l2->vmcb->control.intercepts[INTERCEPT_MISC2] &= ~MISC2_VMRUN;
	check_invalid(l2);

	l2 = fresh("ASID 0");
	l2->vmcb->control.asid = 0;
	check_invalid(l2);
}

/* APM 15.20: reserved types, and vectors that no exception has. */
static void events(void)
{
	struct l2 *l2;

	l2 = fresh("EVENTINJ of a reserved type");
	l2->vmcb->control.event_inj = EVENT_VALID | 1u << EVENT_TYPE_SHIFT | VEC_UD;
	check_invalid(l2);

	l2 = fresh("EVENTINJ of exception 2");
	l2->vmcb->control.event_inj = EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | VEC_NMI;
	check_invalid(l2);

	l2 = fresh("EVENTINJ of exception 32");
	l2->vmcb->control.event_inj = EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | 32;
	check_invalid(l2);
}

static void control_registers(void)
{
	struct l2 *l2;

	l2 = fresh("EFER.SVME=0");
	l2->vmcb->save.efer &= ~(uint64_t)EFER_SVME;
	check_invalid(l2);

	l2 = fresh("CR0.NW without CR0.CD");
	l2->vmcb->save.cr0 |= CR0_NW;
	check_invalid(l2);

	l2 = fresh("a bit in the upper half of CR0");
	l2->vmcb->save.cr0 |= 1ull << 32;
	check_invalid(l2);

	l2 = fresh("a reserved bit of CR4");
	l2->vmcb->save.cr4 |= 1ull << 31;
	check_invalid(l2);

	l2 = fresh("a reserved bit of EFER");
	l2->vmcb->save.efer |= 1ull << 63;
	check_invalid(l2);

	l2 = fresh("EFER.LME and CR0.PG with CR4.PAE=0");
	l2->vmcb->save.efer |= EFER_LME;
	l2->vmcb->save.cr4 &= ~(uint64_t)(CR4_PAE | CR4_LA57);
	if (machine.lm)
		check_invalid(l2);
	else
		point_skip("the processor has no long mode");

	l2 = fresh("CS.L and CS.D in long mode");
	l2->vmcb->save.cs.attributes |= SEG_ATTR_L | SEG_ATTR_DB;
	l2->vmcb->save.efer |= EFER_LME;
	if (machine.lm)
		check_invalid(l2);
	else
		point_skip("the processor has no long mode");

	l2 = fresh("a bit in the upper half of DR6");
	l2->vmcb->save.dr6 |= 1ull << 32;
	check_invalid(l2);

	l2 = fresh("a bit in the upper half of DR7");
	l2->vmcb->save.dr7 |= 1ull << 32;
	check_invalid(l2);
}

void points_invalid(void)
{
	struct l2 *l2;

	if (!tap_group("machine", "invalid"))
		return;
	control_area();
	events();
	control_registers();

	l2 = fresh("the same VMCB with nothing wrong runs");
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}
