/*
 * What a VMRUN leaves that failed: the exit code and nothing else in the VMCB, GIF=0, L1 as it was.
 * Relies on guest/lib; APM 15.5.1.
 */
#include "guest/svm/fails.h"

enum { VECTOR = 0x3b, STALE = 0x5a5a };

static struct vmcb before;

/* A VMCB that fails, with something in every field that must be cleared or kept. */
static struct l2 *failing(const char *name)
{
	struct l2 *l2 = fresh(name);
	struct vmcb_control *control = &l2->vmcb->control;

	l2_aim(l2, L2_VMMCALL);
	control->asid = 0;
	control->exit_info1 = STALE;
	control->exit_info2 = STALE;
	control->event_inj = event(EVENT_INTR, VECTOR);
	l2->vmcb->save.rax = STALE;
	l2->vmcb->save.cr2 = STALE;
	before = *l2->vmcb;
	return l2;
}

static void vmcb(void)
{
	static const char mixed[] = "the save area holds mixed state after VMEXIT_INVALID";
	static const char stale[] = "EXITINFO and EVENTINJ stay as they were";
	struct l2 *l2 = failing("the exit code is -1, in 64 bits");

	l2_run(l2);
	invalid_is(l2, 0);

	l2 = failing("EXITINFO1 and EXITINFO2 are 0");
	l2_run(l2);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 0);
	check_known("EXITINFO2", l2->vmcb->control.exit_info2, 0, STALE, QEMU_BARE, stale);

	l2 = failing("EXITINTINFO shows no event");
	l2_run(l2);
	check_known("EXITINTINFO", l2->vmcb->control.exit_int_info & EVENT_VALID, 0, EVENT_VALID,
	            QEMU_BARE, "EXITINTINFO shows what EVENTINJ asked for");

	l2 = failing("EVENTINJ is cleared");
	l2_run(l2);
	check_known("EVENTINJ", l2->vmcb->control.event_inj & EVENT_VALID, 0, EVENT_VALID,
	            BOCHS_BARE, stale);

	l2 = failing("the guest's state in the VMCB is as it was");
	l2_run(l2);
	if (memcmp(&l2->vmcb->save, &before.save, sizeof(before.save)) != 0) {
		if (emulator_is(QEMU_BARE))
			point_known(QEMU_BARE, mixed);
		else if (emulator_is(BOCHS_BARE))
			point_known(BOCHS_BARE, mixed);
		else
			point_fail("# the save area differs\n");
	}

	l2 = failing("what L1 asks for in the VMCB is as it was");
	l2_run(l2);
	check("intercepts",
	      (uint64_t)(memcmp(l2->vmcb->control.intercepts, before.control.intercepts,
	                        sizeof(before.control.intercepts)) != 0),
	      0);
	check("ASID", l2->vmcb->control.asid, 0);
	check("MSRPM", l2->vmcb->control.msrpm_base_pa, before.control.msrpm_base_pa);
	check("nCR3", l2->vmcb->control.nested_cr3, before.control.nested_cr3);
	check("TSC offset", l2->vmcb->control.tsc_offset, before.control.tsc_offset);
}

static void l1(void)
{
	struct l2 *l2 = failing("L1 goes on behind VMRUN with its rAX and paging");
	unsigned long cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	uint64_t efer = rdmsr(MSR_EFER);

	l2_run(l2);
	check("rAX", l2->regs.host_rax, (uintptr_t)l2->vmcb);
	check("CR0", read_cr0(), cr0);
	check("CR3", read_cr3(), cr3);
	check("CR4", read_cr4(), cr4);
	check("EFER", rdmsr(MSR_EFER), efer);

	l2 = failing("L2's other registers are as they were");
	l2->regs.rbx = 0x1b;
	l2->regs.rdi = 0x1d;
	l2_run(l2);
	check("rBX", l2->regs.rbx, 0x1b);
	check("rDI", l2->regs.rdi, 0x1d);

	l2 = failing("GIF is 0: an interrupt waits until STGI");
	interrupt_count[VECTOR] = 0;
	stgi();
	svm_run_gif0(&l2->regs, l2->vmcb); /* VMRUN with GIF=1 */
	apic_self(VECTOR);
	sti();
	wait_a_while();
	check_known("taken while GIF=0", interrupt_count[VECTOR], 0, 1, BOCHS,
	            "V_INTR_MASKING uses the guest's IF");
	stgi();
	wait_a_while();
	cli();
	check("taken after STGI", interrupt_count[VECTOR], 1);

	l2 = failing("the VMCB, repaired, runs");
	l2_run(l2);
	*l2->vmcb = before;
	l2->vmcb->control.asid = 1;
	l2->vmcb->control.event_inj = 0;
	l2->flush = true;
	l2_run(l2);
	l2_check_done(l2);
}

void fails_leave(void)
{
	vmcb();
	l1();
}
