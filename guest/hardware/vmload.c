/*
 * Virtual VMLOAD and VMSAVE: of a 64-bit L2 they do not exit, and their address is L2's own: nested
 * tables translate it, refuse it, and get D by it. L0 uses them for L1 with svm=all, and then
 * relies on D to notice what L1's VMSAVE writes. Relies on guest/lib; APM 15.33.1.
 */
#include "guest/hardware/hardware.h"

#define AT    (L2_SMALL + 3 * PAGE_SIZE)
#define VALUE 0x00771100u

static struct vmcb *area(struct l2 *l2)
{
	return (struct vmcb *)l2_small_frame(l2, 3);
}

static struct l2 *ready(const char *name)
{
	struct l2 *l2 = fresh(name);

	l2->vmcb->control.virt_ext = VIRT_EXT_VMLOAD_VMSAVE;
	l2->vmcb->save.rax = AT;
	l2->vmcb->save.fs.base = VALUE;
	l2->vmcb->save.kernel_gs_base = VALUE + 1;
	return l2;
}

static void moves(void)
{
	struct l2 *l2 = ready("VMSAVE writes where the nested tables lead");

	l2_start(l2, L2_VMSAVE);
	l2_check_done(l2);
	check("FS.base", area(l2)->save.fs.base, VALUE);
	check("KernelGSBase", area(l2)->save.kernel_gs_base, VALUE + 1);

	l2 = ready("VMLOAD reads where the nested tables lead");
	memcpy(&area(l2)->save, &l2->vmcb->save, sizeof(l2->vmcb->save));
	area(l2)->save.kernel_gs_base = VALUE + 2;
	l2_start(l2, L2_VMLOAD);
	l2_check_done(l2);
	check("KernelGSBase", l2->vmcb->save.kernel_gs_base, VALUE + 2);
}

static void dirty(void)
{
	struct l2 *l2 = ready("VMSAVE sets D of its page, after a flush by each way");
	static const enum tlb_control controls[] = {TLB_CONTROL_FLUSH_ALL, TLB_CONTROL_FLUSH_ASID};

	for (unsigned int i = 0; i < ARRAY_SIZE(controls); i++) {
		if (i && !(machine.svm_features & SVM_FEATURE_FLUSH_ASID))
			continue;
		run_with(l2, L2_VMSAVE, TLB_CONTROL_NONE); /* cached with D=1 */
		pt_clear(&l2->npt, AT, 1, PT_ACCESSED | PT_DIRTY);
		l2->vmcb->save.rax = AT;
		run_with(l2, L2_VMSAVE, controls[i]);
		l2_check_done(l2);
		check("A and D", pt_get(&l2->npt, AT, 1) & (PT_ACCESSED | PT_DIRTY),
		      PT_ACCESSED | PT_DIRTY);
	}

	l2 = ready("VMLOAD sets no D of its page");
	memcpy(&area(l2)->save, &l2->vmcb->save, sizeof(l2->vmcb->save));
	pt_clear(&l2->npt, AT, 1, PT_ACCESSED | PT_DIRTY);
	l2_start(l2, L2_VMLOAD);
	l2_check_done(l2);
	check("A and D", pt_get(&l2->npt, AT, 1) & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED);
}

static void refused(void)
{
	struct l2 *l2 = ready("VMSAVE to a page that is not there is a nested fault");

	pt_set(&l2->npt, AT, 1, 0);
	l2_start(l2, L2_VMSAVE);
	l2_check_exit(l2, VMEXIT_NPF);
	check("EXITINFO2", l2->vmcb->control.exit_info2 & ~(uint64_t)(PAGE_SIZE - 1), AT);

	l2 = ready("VMSAVE to a read-only page is a nested fault");
	pt_clear(&l2->npt, AT, 1, PT_WRITE);
	l2_start(l2, L2_VMSAVE);
	l2_check_exit(l2, VMEXIT_NPF);
	check("P and W", l2->vmcb->control.exit_info1 & (NPF_PRESENT | NPF_WRITE),
	      NPF_PRESENT | NPF_WRITE);

	l2 = ready("VMLOAD of a page that is not there is a nested fault");
	pt_set(&l2->npt, AT, 1, 0);
	l2_start(l2, L2_VMLOAD);
	l2_check_exit(l2, VMEXIT_NPF);

	l2 = ready("an intercept counts first");
	l2->vmcb->control.intercepts[INTERCEPT_MISC2] |= MISC2_VMLOAD;
	l2_start(l2, L2_VMLOAD);
	l2_check_exit(l2, VMEXIT_VMLOAD);
}

void hardware_vmload(void)
{
	if (!hardware_group("vmload", SVM_FEATURE_VMLOAD_VMSAVE | SVM_FEATURE_NP,
	                    "no virtual VMLOAD and VMSAVE"))
		return;
	if (!l2_possible(&l2_long)) {
		point("VMLOAD and VMSAVE of 64-bit code");
		point_skip("a 32-bit L1 runs no 64-bit L2");
		point_end();
		return;
	}
	moves();
	dirty();
	refused();
	point_end();
}
