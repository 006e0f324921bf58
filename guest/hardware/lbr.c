/*
 * LBR virtualization: VMRUN loads DBGCTL and the records of branches and #VMEXIT saves them, where
 * VIRT_EXT says so; L1's own come back. Relies on guest/lib; APM 15.23.
 */
#include "guest/hardware/hardware.h"

enum {
	MSR_BR_FROM = 0x1db,
	MSR_BR_TO,
	MSR_LAST_EXCP_FROM,
	MSR_LAST_EXCP_TO,
	DBGCTL_LBR = 1 << 0,
	DBGCTL_BTF = 1 << 1, /* of no effect without TF */
	JUMP_BYTES = 2,
};

#define FROM 0x00123450u

static const char nothing_moves[] = "LBR virtualization loads and saves nothing";

static void read_own(void *value)
{
	*(uint64_t *)value = rdmsr(MSR_DEBUGCTL);
}

static void write_own(void *value)
{
	wrmsr(MSR_DEBUGCTL, *(uint64_t *)value);
}

static struct l2 *with_lbr(const char *name)
{
	struct l2 *l2 = fresh(name);

	l2->vmcb->control.virt_ext = VIRT_EXT_LBR;
	return l2;
}

/* The MSR as L2 has it, or ones: L2 has taken an exception. */
static uint64_t reads(struct l2 *l2, uint32_t msr)
{
	l2->regs.rcx = msr;
	l2->regs.rdx = 0;
	l2_start(l2, L2_RDMSR);
	if (l2->vmcb->save.rip >= L2_CODE + L2_STUBS)
		return ~0ull;
	l2_check_done(l2);
	return l2_edx_eax(l2);
}

static void check_known_msr(const char *what, uint64_t got, uint64_t expected)
{
	if (!lets_pass(got != expected, BOCHS, nothing_moves))
		check(what, got, expected);
}

static void loads(void)
{
	struct l2 *l2 = with_lbr("VMRUN loads DBGCTL and the records");
	struct vmcb_save *save = &l2->vmcb->save;

	save->dbgctl = DBGCTL_BTF;
	save->br_from = FROM;
	save->br_to = FROM + 1;
	save->last_excp_from = FROM + 2;
	save->last_excp_to = FROM + 3;
	check_known_msr("DBGCTL", reads(l2, MSR_DEBUGCTL), DBGCTL_BTF);
	check_known_msr("BR_FROM", reads(l2, MSR_BR_FROM), FROM);
	check_known_msr("BR_TO", reads(l2, MSR_BR_TO), FROM + 1);
	check_known_msr("LASTEXCPFROM", reads(l2, MSR_LAST_EXCP_FROM), FROM + 2);
	check_known_msr("LASTEXCPTO", reads(l2, MSR_LAST_EXCP_TO), FROM + 3);
	check_known_msr("DBGCTL in the VMCB", save->dbgctl, DBGCTL_BTF);
	check_known_msr("BR_TO in the VMCB", save->br_to, FROM + 1);
}

static void saves(void)
{
	static const struct code jump = CODE("\xeb\x00"); /* to the next instruction */
	struct l2 *l2 = with_lbr("#VMEXIT saves L2's last branch");

	l2->vmcb->save.dbgctl = DBGCTL_LBR;
	run_code(l2, &jump);
	check_through(l2, jump.length);
	check_known_msr("BR_FROM", l2->vmcb->save.br_from, L2_BOOT);
	check_known_msr("BR_TO", l2->vmcb->save.br_to, L2_BOOT + JUMP_BYTES);
	check("DBGCTL", l2->vmcb->save.dbgctl, DBGCTL_LBR);

	l2 = with_lbr("#VMEXIT saves the DBGCTL that L2 wrote");
	l2->regs.rcx = MSR_DEBUGCTL;
	l2->vmcb->save.rax = DBGCTL_BTF;
	l2_start(l2, L2_WRMSR);
	check_known_msr("DBGCTL", l2->vmcb->save.dbgctl, DBGCTL_BTF);
}

static void own(void)
{
	uint64_t value = DBGCTL_BTF, after = 0;
	struct l2 *l2 = with_lbr("L1's DBGCTL comes back");

	if (try_call(write_own, &value) >= 0) {
		point_skip("L1 has no DBGCTL");
		return;
	}
	l2->vmcb->save.dbgctl = 0;
	check_known_msr("L2's DBGCTL", reads(l2, MSR_DEBUGCTL), 0);
	try_call(read_own, &after);
	if (!lets_pass(!after, BOCHS, "DBGCTL keeps nothing"))
		check("L1's DBGCTL", after, DBGCTL_BTF);
	value = 0;
	try_call(write_own, &value);

	l2 = fresh("without VIRT_EXT nothing is loaded");
	l2->vmcb->save.dbgctl = DBGCTL_BTF;
	check("L2's DBGCTL", reads(l2, MSR_DEBUGCTL), 0);
}

void hardware_lbr(void)
{
	if (!hardware_group("lbr", SVM_FEATURE_LBR, "no LBR virtualization"))
		return;
	loads();
	saves();
	own();
	point_end();
}
