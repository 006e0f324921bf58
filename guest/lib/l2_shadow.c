/*
 * L2 without nested paging: CR3 names shadow tables that L1 keeps. Relies on l2_new.c for L2's
 * memory and VMCB; APM 15.25.1, and 15.19 for paging in real mode.
 */
#include "guest/lib/l2.h"
#include "hv/x86.h"

static void on_shadow(struct l2 *l2)
{
	l2->nested = false;
	l2->vmcb->control.nested_ctl = 0;
	l2->vmcb->control.nested_cr3 = 0;
	l2_use_root(l2);
}

void l2_use_shadow(struct l2 *l2)
{
	l2->alias = l2->kind->alias;
	l2_make_npt(l2, l2->kind->format);
	l2_map_npt(l2, l2->alias, PT_RW);
	on_shadow(l2);
}

/* Without paging of its own an L2 gets the simplest: 2 levels, no CR4 bits. */
void l2_share_shadow(struct l2 *l2)
{
	const struct pt_format *format = l2->kind->format ? l2->kind->format : &pt_2level;
	struct vmcb_save *save = &l2->vmcb->save;

	/* The root of 2 levels has large pages in it: no second view of it could be shared. */
	l2->alias = format->levels == 2 ? 0 : l2->kind->alias;
	l2_make_npt(l2, format);
	save->cr0 |= CR0_PG | CR0_WP;
	save->efer |= format->nx ? EFER_NXE : 0;
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_PF;
	on_shadow(l2);
}

void l2_use_root(struct l2 *l2)
{
	unsigned int top = l2->npt.format->levels;

	l2->flush = true;
	if (l2->nested) {
		l2->vmcb->control.nested_cr3 = l2->npt.root;
		return;
	}
	if (l2->alias && !(pt_get(&l2->npt, l2->alias, top) & PT_PRESENT))
		pt_set(&l2->npt, l2->alias, top, pt_get(&l2->npt, 0, top));
	l2->own = l2->npt;
	l2->vmcb->save.cr3 = l2->npt.root;
}
