/*
 * An L2 that switches tasks: by itself where L1 does not intercept that, with faults of its new
 * task that L1 intercepts, and the intercept itself. Relies on guest/lib; APM vol. 2, 15.14.1.
 */
#include "guest/points/task.h"

#ifdef __x86_64__
void points_task_l2(const struct l2_kind *kind)
{
	(void)kind;
}
#else

#define INFO2_REASONS 0xffffffff00000000ull /* JMP, IRET, error code, RF */
#define CR3_PCD       (1u << 4)             /* of no effect but that it is there to be seen */

enum {
	MAIN = 0x28,
	OTHER = 0x30,
	GDT_LIMIT = 0x37,
	AT_MAIN = L2_SCRATCH + 0x100,
	AT_OTHER = L2_SCRATCH + 0x200,
	CODE_MAIN = L2_SCRATCH + 0x300,
	CODE_OTHER = L2_SCRATCH + 0x400,
	CALL_BYTES = 7,
	ATTR_BUSY = 0x8b,
};

static const uint8_t code_main[] = {0x9a, 0, 0, 0, 0, OTHER, 0, 0x0f, 0x01, 0xd9};
static const uint8_t code_other[] = {0x0f, 0x01, 0xd9, 0xcf}; /* VMMCALL, IRET */

static struct task_tss *tss_main, *tss_other;
static uint64_t *gdt;

static struct l2 *new_l2(const struct l2_kind *kind)
{
	struct l2 *l2 = l2_new(0, kind);
	struct vmcb_save *save = &l2->vmcb->save;

	tss_main = (void *)(l2->low + AT_MAIN);
	tss_other = (void *)(l2->low + AT_OTHER);
	gdt = (void *)(l2->low + L2_GDT);
	gdt[MAIN / 8] =
		(sizeof(*tss_main) - 1) | (uint64_t)AT_MAIN << 16 | (uint64_t)ATTR_BUSY << 40;
	gdt[OTHER / 8] = (sizeof(*tss_other) - 1) | (uint64_t)AT_OTHER << 16 |
	                 (uint64_t)(TYPE_TSS_AVAILABLE | 0x80) << 40;
	save->gdtr.limit = GDT_LIMIT;
	save->tr = (struct vmcb_segment){{{MAIN, ATTR_BUSY, sizeof(*tss_main) - 1}}, AT_MAIN};
	tss_main->cr3 = (uint32_t)save->cr3;
	*tss_other = (struct task_tss){
		.cr3 = (uint32_t)save->cr3 | CR3_PCD,
		.eip = CODE_OTHER,
		.eflags = RFLAGS_FIXED,
		.gpr = {0xa, 0xc, 0xd, 0xb, L2_STACK_TOP, 0xb9, 0x51, 0xd1},
		.es = L2_DATA_SEL,
		.cs = L2_CODE32_SEL,
		.ss = L2_DATA_SEL,
		.ds = L2_DATA_SEL,
		.gs = L2_BASED_SEL,
		.iopb = sizeof(*tss_other),
	};
	memcpy(l2->low + CODE_MAIN, code_main, sizeof(code_main));
	memcpy(l2->low + CODE_OTHER, code_other, sizeof(code_other));
	save->rip = CODE_MAIN;
	save->rax = 0x1a;
	l2->regs.rbx = 0x1b;
	return l2;
}

static void by_itself(const struct l2_kind *kind)
{
	struct l2 *l2 = new_l2(kind);
	const struct vmcb_save *save = &l2->vmcb->save;
	uint32_t cr3 = (uint32_t)save->cr3;
	bool paging = save->cr0 & CR0_PG;

	point("L2 calls a task");
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_VMMCALL);
	check("RIP", save->rip, CODE_OTHER);
	check("TR", save->tr.selector, OTHER);
	check("TR's base", save->tr.base, AT_OTHER);
	check("TR's attributes", save->tr.attributes, ATTR_BUSY);
	check("CR3", save->cr3, paging ? cr3 | CR3_PCD : cr3);
	check("CR0.TS", save->cr0 & CR0_TS, CR0_TS);
	check("NT", save->rflags & RFLAGS_NT, RFLAGS_NT);
	check("eax", l2_eax(l2), 0xa);
	check("ebx", l2->regs.rbx, 0xb);
	check("edi", l2->regs.rdi, 0xd1);
	check("GS", save->gs.selector, L2_BASED_SEL);
	check("GS's base", save->gs.base, L2_SCRATCH);
	check("FS", save->fs.selector, 0);
	check("link", tss_other->link, MAIN);
	check("EIP in main", tss_main->eip, CODE_MAIN + CALL_BYTES);
	check("eax in main", tss_main->gpr[0], 0x1a);
	check("ebx in main", tss_main->gpr[3], 0x1b);
	check("other's descriptor", gdt[OTHER / 8] >> 40 & 0xf, TYPE_TSS_BUSY);

	point("L2's task returns");
	l2_pass_vmmcall(l2);
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_VMMCALL);
	check("RIP", save->rip, CODE_MAIN + CALL_BYTES);
	check("TR", save->tr.selector, MAIN);
	check("CR3", save->cr3, cr3);
	check("NT", save->rflags & RFLAGS_NT, 0);
	check("eax", l2_eax(l2), 0x1a);
	check("ebx", l2->regs.rbx, 0x1b);
	check("other's descriptor", gdt[OTHER / 8] >> 40 & 0xf, TYPE_TSS_AVAILABLE);
}

static void intercepted_fault(const struct l2_kind *kind)
{
	struct l2 *l2 = new_l2(kind);
	const struct vmcb_save *save = &l2->vmcb->save;

	point("L1 intercepts a fault of L2's new task");
	tss_other->cs = L2_DATA_SEL;
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_TS;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_TS);
	check("EXITINFO1", l2->vmcb->control.exit_info1, L2_DATA_SEL);
	check("EXITINTINFO", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
	check("RIP", save->rip, CODE_OTHER);
	check("TR", save->tr.selector, OTHER);
	check("eax", l2_eax(l2), 0xa);
	check("EIP in main", tss_main->eip, CODE_MAIN + CALL_BYTES);

	point("L1 intercepts a fault of L2's old task");
	l2 = new_l2(kind);
	save = &l2->vmcb->save;
	gdt[OTHER / 8] &= ~(0x80ull << 40);
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_NP;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_NP);
	check("EXITINFO1", l2->vmcb->control.exit_info1, OTHER);
	check("RIP", save->rip, CODE_MAIN);
	check("TR", save->tr.selector, MAIN);
	check("EIP in main", tss_main->eip, 0);
}

static void intercepted(const struct l2_kind *kind)
{
	struct l2 *l2 = new_l2(kind);
	const struct vmcb_save *save = &l2->vmcb->save;

	point("L1 intercepts L2's task switch");
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_TASK_SWITCH;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_TASK_SWITCH);
	check("EXITINFO1", l2->vmcb->control.exit_info1, OTHER);
	check("EXITINFO2", l2->vmcb->control.exit_info2 & INFO2_REASONS, 0);
	check("RIP", save->rip, CODE_MAIN);
	check("TR", save->tr.selector, MAIN);
	check("CR0.TS", save->cr0 & CR0_TS, 0);
	check("EIP in main", tss_main->eip, 0);
	check("link", tss_other->link, 0);
}

void points_task_l2(const struct l2_kind *kind)
{
	if (kind->bits != 32 || !tap_group(kind->name, "task"))
		return;
	if (machine.qemu) {
		point("L2 calls a task");
		point_known(QEMU, "task switches are not intercepted: not tried");
		return;
	}
	by_itself(kind);
	intercepted_fault(kind);
	intercepted(kind);
}
#endif
