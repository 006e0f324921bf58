/*
 * L2 without nested paging: NP_ENABLE=0, CR3 names shadow tables that L1 keeps in L2's format, and
 * L1 intercepts #PF (row R13). Relies on guest/lib; APM 15.25.1.
 */
#include "guest/points/points.h"

enum { ERROR_PRESENT = 1, ERROR_WRITE = 2 };

static void check_fault(struct l2 *l2, uint64_t error, uint64_t ngva)
{
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_PF);
	check("EXITINFO1, the error code", l2->vmcb->control.exit_info1, error);
	check("EXITINFO2, the address", l2->vmcb->control.exit_info2, ngva);
}

static void pages(struct l2 *l2)
{
	uint64_t alias = l2->kind->alias, at = L2_SMALL + PAGE_SIZE + 0x18;
	uint64_t page = pt_get(&l2->npt, alias + at, 1);
	uint32_t *word = &l2_small_frame(l2, 1)[0x18 / 4];

	point("reads and writes through L1's shadow tables");
	l2_write(l2, at, 0x5ade0001);
	l2_check_done(l2);
	check("L1 sees", *word, 0x5ade0001);
	*word = 0x5ade0002;
	l2_read(l2, at);
	l2_check_value(l2, 0x5ade0002);

	point("a missing page exits as #PF");
	pt_set(&l2->npt, alias + at, 1, 0);
	l2->flush = true;
	l2_read(l2, at);
	check_fault(l2, 0, alias + at);

	point("the read goes on once L1 has mapped the page");
	pt_set(&l2->npt, alias + at, 1, page);
	l2_run(l2);
	l2_check_value(l2, 0x5ade0002);

	point("a write to a read-only page exits as #PF");
	pt_set(&l2->npt, alias + at, 1, page & ~PT_WRITE);
	l2->flush = true;
	l2_write(l2, at, 0x5ade0003);
	check_fault(l2, ERROR_PRESENT | ERROR_WRITE, alias + at);
	check("L1 sees", *word, 0x5ade0002);

	point("the write goes on once L1 has made the page writable");
	pt_set(&l2->npt, alias + at, 1, page);
	l2_run(l2);
	l2_check_done(l2);
	check("L1 sees", *word, 0x5ade0003);

	point("a page that L1 moved to another frame reads as that one");
	l2_spare_frame(0)[0x18 / 4] = 0x5ade0004;
	pt_map(&l2->npt, (alias + at) & ~0xfffull, l2_gpa(l2_spare_frame(0)), 1, PT_RW);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_value(l2, 0x5ade0004);

	point("a read sets A and a write sets D in L1's shadow table");
	l2_read(l2, at);
	check("A and D", pt_get(&l2->npt, alias + at, 1) & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED);
	l2_write(l2, at, 5);
	check("A and D", pt_get(&l2->npt, alias + at, 1) & (PT_ACCESSED | PT_DIRTY),
	      PT_ACCESSED | PT_DIRTY);
}

static void control(struct l2 *l2)
{
	uint64_t rip, cr2;

	point("MOV to CR3, intercepted, exits");
	l2->vmcb->control.intercepts[INTERCEPT_CR] = 1u << (16 + 3);
	l2_aim(l2, L2_WRITE_CR3);
	rip = l2->vmcb->save.rip;
	l2->regs.rbx = l2->npt.root;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_CR3_WRITE);
	check("rip", l2->vmcb->save.rip, rip);

	point("INVLPG, intercepted, exits");
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_INVLPG;
	l2_start(l2, L2_INVLPG);
	l2_check_exit(l2, VMEXIT_INVLPG);

	point("a #PF that L1 injects arrives with CR2");
	l2->vmcb->save.cr2 = 0x12345678;
	l2->vmcb->control.event_inj = EVENT_VALID | EVENT_ERROR_VALID | VEC_PF |
	                              (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT |
	                              (uint64_t)ERROR_WRITE << EVENT_ERROR_SHIFT;
	cr2 = read_cr2();
	l2_start(l2, L2_VMMCALL);
	l2_check_vector(l2, VEC_PF);
	check("error code on L2's stack", l2_stack(l2, 0), ERROR_WRITE);
	check_known("CR2", l2->vmcb->save.cr2, 0x12345678, cr2, BOCHS, "VMRUN does not load CR2");
}

void points_shadow(const struct l2_kind *kind)
{
	struct l2 *l2;

	if (!kind->format || !tap_group(kind->name, "shadow"))
		return;
	l2 = l2_new(0, kind);
	l2_use_shadow(l2);
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_PF;
	pages(l2);
	control(l2);
}
