/*
 * What an edit of nested tables asks of L1 and what not, as L0's own fills rely on it: more access
 * needs no flush behind a fault, since the fault drops what was cached; less access shows after a
 * flush. Relies on guest/lib; APM 15.25.9 and 5.5.3.
 */
#include "guest/hardware/hardware.h"

#define AT    (L2_SMALL + 2 * PAGE_SIZE)
#define VALUE 0x71675000u

static struct l2 *ready(const struct l2_kind *kind)
{
	struct l2 *l2 = l2_new(0, kind);

	for (unsigned int page = 0; page < L2_SMALL_PAGES; page++)
		l2_small_frame(l2, page)[0] = VALUE + page;
	read_with(l2, AT, TLB_CONTROL_FLUSH_ALL);
	return l2;
}

/* The entry of the level goes, L2 faults, the entry comes back. */
static void missing(unsigned int level)
{
	struct l2 *l2 = ready(l2_widest());
	uint64_t entry = pt_get(&l2->npt, AT, level);

	pt_set(&l2->npt, AT, level, 0);
	l2->regs.rbx = l2->alias + AT;
	run_with(l2, L2_READ, TLB_CONTROL_FLUSH_ALL);
	if (!l2_check_exit(l2, VMEXIT_NPF))
		return;
	pt_set(&l2->npt, AT, level, entry);
	read_with(l2, AT, TLB_CONTROL_NONE);
	l2_check_value(l2, VALUE + 2);
}

/* An L2 without tables of its own: the walk of these would be what writes first. */
static void read_only(unsigned int level)
{
	struct l2 *l2 = ready(&l2_prot);
	uint64_t entry = pt_get(&l2->npt, AT, level);

	pt_set(&l2->npt, AT, level, entry & ~PT_WRITE);
	read_with(l2, AT, TLB_CONTROL_FLUSH_ALL); /* cached as it is */
	run_with(l2, L2_WRITE, TLB_CONTROL_NONE);
	if (!l2_check_exit(l2, VMEXIT_NPF))
		return;
	pt_set(&l2->npt, AT, level, entry);
	l2->vmcb->save.rax = VALUE;
	write_with(l2, AT, TLB_CONTROL_NONE);
	check("what L2 wrote", l2_small_frame(l2, 2)[0], VALUE);
}

/* PAE has 2 levels below the PDPTEs, which have no rights of their own. */
static unsigned int last_level(void)
{
	return l2_format->levels == 3 ? 2 : l2_format->levels;
}

static void frame_moves(enum tlb_control control, bool can)
{
	struct l2 *l2 = ready(l2_widest());
	uint32_t at_once;

	if (!can) {
		point_skip("the processor cannot flush by ASID");
		return;
	}
	pt_map(&l2->npt, AT, l2_gpa(l2_small_frame(l2, 7)), 1, PT_RWU | PT_ACCESSED | PT_DIRTY);
	read_with(l2, AT, TLB_CONTROL_NONE);
	at_once = l2_eax(l2);
	if (at_once != VALUE + 2)
		l2_check_value(l2, VALUE + 7);
	read_with(l2, AT, control);
	l2_check_value(l2, VALUE + 7);
	seen("another frame without a flush: L2 reads the %s one, so translations %s VMRUN",
	     at_once == VALUE + 2 ? "old" : "new",
	     at_once == VALUE + 2 ? "outlive" : "do not outlive");
}

/* INVLPGA names an address of L2's: is what nested tables said of it forgotten as well? */
static void by_address(void)
{
	struct l2 *l2 = ready(l2_widest());

	pt_map(&l2->npt, AT, l2_gpa(l2_small_frame(l2, 7)), 1, PT_RWU | PT_ACCESSED | PT_DIRTY);
	invlpga(l2->alias + AT, l2->vmcb->control.asid);
	read_with(l2, AT, TLB_CONTROL_NONE);
	if (l2_eax(l2) != VALUE + 2)
		l2_check_value(l2, VALUE + 7);
	seen("INVLPGA of L2's address, after an edit of nested tables: L2 reads the %s frame",
	     l2_eax(l2) == VALUE + 2 ? "old" : "new");
}

void hardware_rights(void)
{
	bool by_asid = machine.svm_features & SVM_FEATURE_FLUSH_ASID;

	if (!hardware_group("rights", SVM_FEATURE_NP, "no nested paging"))
		return;
	point("an entry that was missing needs no flush, on any level");
	for (unsigned int level = 1; level <= l2_format->levels; level++)
		missing(level);
	point("an entry that was read-only needs no flush, on any level");
	for (unsigned int level = 1; level <= last_level(); level++)
		read_only(level);
	point("another frame shows after TLB_CONTROL=1, or before");
	frame_moves(TLB_CONTROL_FLUSH_ALL, true);
	point("another frame shows after TLB_CONTROL=3, or before");
	frame_moves(TLB_CONTROL_FLUSH_ASID, by_asid);
	point("another frame shows after TLB_CONTROL=7, or before");
	frame_moves(TLB_CONTROL_FLUSH_ASID_NONGLOBAL, by_asid);
	point("INVLPGA of an address whose nested entry moved: the old frame or the new");
	by_address();
	point_end();
}
