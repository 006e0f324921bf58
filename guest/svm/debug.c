/*
 * Debug registers and debug exceptions of L2: DR6 and DR7 are in the VMCB, DR0 to DR3 are nobody's.
 * Relies on guest/lib; APM 15.5, 15.12.2, and 13.1 for DR6 and DR7.
 */
#include "guest/svm/suite.h"

enum {
	DR7_EXECUTE_0 = 0x2,
	DR7_WRITE_0 = 0x2 | 0xd0000, /* 4 bytes */
	DR7_GD = 1 << 13,
	DR6_B0 = 1,
};

static const struct code nops = CODE("\x90\x90\x90");

static const char not_armed[] = "VMRUN leaves armed what was armed before it";

static void set_dr0(uintptr_t value)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(value));
}

static uintptr_t get_dr0(void)
{
	uintptr_t value;

	__asm__ volatile("mov %%dr0, %0" : "=r"(value));
	return value;
}

static void registers(void)
{
	static const struct code from_6 = CODE("\x0f\x21\xf0"), from_7 = CODE("\x0f\x21\xf8"),
				 from_0 = CODE("\x0f\x21\xc0"), to_0 = CODE("\x0f\x23\xc0"),
				 to_7 = CODE("\x0f\x23\xf8");
	struct l2 *l2 = fresh("L2 reads the DR6 of its VMCB");

	l2->vmcb->save.dr6 = DR6_FIXED | DR6_BS;
	run_code(l2, &from_6);
	check_through(l2, 3);
	check("DR6", l2_eax(l2), DR6_FIXED | DR6_BS);

	l2 = fresh("L2 reads the DR7 of its VMCB");
	l2->vmcb->save.dr7 = DR7_FIXED | DR7_EXECUTE_0;
	set_dr0(L2_HOLE);
	run_code(l2, &from_7);
	check_through(l2, 3);
	check("DR7", l2_eax(l2), DR7_FIXED | DR7_EXECUTE_0);

	l2 = fresh("the DR7 that L2 writes is in its VMCB");
	l2->vmcb->save.rax = DR7_FIXED | DR7_EXECUTE_0;
	run_code(l2, &to_7);
	check_through(l2, 3);
	check("DR7", l2->vmcb->save.dr7, DR7_FIXED | DR7_EXECUTE_0);

	l2 = fresh("L2 reads the DR0 that L1 left");
	set_dr0(0x12345);
	run_code(l2, &from_0);
	check_through(l2, 3);
	check("DR0", l2_eax(l2), 0x12345);

	l2 = fresh("the DR0 that L2 writes is L1's afterwards");
	l2->vmcb->save.rax = 0x54321;
	run_code(l2, &to_0);
	check_through(l2, 3);
	check("DR0", get_dr0(), 0x54321);
	set_dr0(0);
}

/* An L2 whose breakpoint 0 is at the address; L1 intercepts #DB, or not. */
static struct l2 *with_breakpoint(const char *name, uintptr_t address, uint32_t dr7, bool intercept)
{
	struct l2 *l2 = fresh(name);

	l2->vmcb->save.dr7 = DR7_FIXED | dr7;
	l2->regs.rbx = L2_SCRATCH;
	if (intercept)
		l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_DB;
	set_dr0(address);
	return l2;
}

static void check_dr6(const struct l2 *l2, uint64_t bit)
{
	check_known("DR6", l2->vmcb->save.dr6 & bit, bit, 0, BOCHS,
	            "the VMCB's DR6 is the one before #DB");
}

static bool unarmed(const struct l2 *l2, unsigned int length)
{
	return lets_pass(l2->vmcb->save.rip == L2_BOOT + length, QEMU, not_armed);
}

static void breakpoints(void)
{
	static const struct code write = CODE("\x89\x03\x90"); /* MOV [RBX], EAX; NOP */
	struct l2 *l2 = with_breakpoint("a breakpoint on code exits before it runs", L2_BOOT + 1,
	                                DR7_EXECUTE_0, true);

	run_code(l2, &nops);
	if (!unarmed(l2, nops.length)) {
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_DB);
		check("rip", l2->vmcb->save.rip, L2_BOOT + 1);
		check_dr6(l2, DR6_B0);
	}

	l2 = with_breakpoint("a breakpoint on code reaches L2's handler", L2_BOOT + 1,
	                     DR7_EXECUTE_0, false);
	run_code(l2, &nops);
	if (!unarmed(l2, nops.length)) {
		l2_check_vector(l2, VEC_DB);
		check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT + 1);
		check_dr6(l2, DR6_B0);
	}

	l2 = with_breakpoint("a breakpoint on data exits behind the access", L2_SCRATCH,
	                     DR7_WRITE_0, true);
	run_code(l2, &write);
	if (!unarmed(l2, write.length)) {
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_DB);
		check("rip", l2->vmcb->save.rip, L2_BOOT + 2);
		check_dr6(l2, DR6_B0);
	}

	l2 = with_breakpoint("a breakpoint on data reaches L2's handler", L2_SCRATCH, DR7_WRITE_0,
	                     false);
	run_code(l2, &write);
	if (!unarmed(l2, write.length)) {
		l2_check_vector(l2, VEC_DB);
		check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT + 2);
	}

	l2 = with_breakpoint("L1's DR7 does not count in L2", L2_BOOT + 1, 0, true);
	if (emulator_is(QEMU)) { /* it would stay armed for good */
		point_known(QEMU, not_armed);
	} else {
		__asm__ volatile("mov %0, %%dr7" : : "r"((uintptr_t)(DR7_FIXED | DR7_EXECUTE_0)));
		run_code(l2, &nops);
		check_through(l2, nops.length);
		__asm__ volatile("mov %0, %%dr7" : : "r"((uintptr_t)DR7_FIXED));
	}

	l2 = with_breakpoint("L2's DR7 does not count in L1", (uintptr_t)l2_spare_frame(0),
	                     DR7_WRITE_0, true);
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	*(volatile uint32_t *)l2_spare_frame(0) = 1; /* #DB would end the run */
	set_dr0(0);
}

static void do_int1(void *unused)
{
	(void)unused;
	__asm__ volatile(".globl int1_of_l1\n"
	                 "int1_of_l1: .byte 0xf1");
}

static const char no_int1[] = "INT1 is #UD: not tried";

/* INT1 is a trap, and says nothing in DR6. */
static void int1(void)
{
	extern const uint8_t int1_of_l1[];
	struct l2 *l2;

	point("INT1 of L1 is #DB behind it");
	if (!lets_pass(machine.qemu, QEMU, no_int1)) {
		check("vector", (uint64_t)(int64_t)try_call(do_int1, NULL), VEC_DB);
		check("ip", trap_last.ip, (uintptr_t)int1_of_l1 + 1);
	}

	l2 = fresh("INT1 of L2 is #DB behind it");
	if (!lets_pass(machine.qemu, QEMU, no_int1)) {
		run_code(l2, &(struct code)CODE("\xf1"));
		l2_check_vector(l2, VEC_DB);
		check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT + 1);
		check_dr6(l2, 0);
	}
}

static void steps(void)
{
	struct l2 *l2 = fresh("L1 steps through L2 by TF");

	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_DB;
	l2->vmcb->save.rflags |= RFLAGS_TF;
	load_code(l2, &nops);
	for (unsigned int i = 1; i <= nops.length; i++) {
		l2_run(l2);
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_DB);
		check("rip", l2->vmcb->save.rip, L2_BOOT + i);
	}

	l2 = fresh("an instruction that exits does not trap by TF before that");
	if (!lets_pass(true, BOCHS, "the trap is then the host's: not tried")) {
		l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_DB;
		l2->vmcb->save.rflags |= RFLAGS_TF;
		l2_start(l2, L2_VMMCALL);
		l2_check_done(l2);
	}

	l2 = fresh("TF of L2 leaves none to L1");
	l2->vmcb->save.rflags |= RFLAGS_TF;
	load_code(l2, &nops);
	l2_run(l2);
	l2_check_vector(l2, VEC_DB);
	check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT + 1);
	check_dr6(l2, DR6_BS);

	l2 = fresh("CPUID that L1 does not intercept traps by TF behind it");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_DB;
	l2->vmcb->save.rflags |= RFLAGS_TF;
	run_code(l2, &(struct code)CODE("\x0f\xa2"));
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_DB);
	check("rip", l2->vmcb->save.rip, L2_BOOT + 2);
	check_dr6(l2, DR6_BS);

	l2 = fresh("DR7.GD exits as #DB, with GD clear and DR6.BD set");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_DB;
	l2->vmcb->save.dr7 = DR7_FIXED | DR7_GD;
	run_code(l2, &(struct code)CODE("\x0f\x21\xc0"));
	if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && emulator_is(QEMU)) {
		point_known(QEMU, "DR7.GD is not looked at");
	} else {
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_DB);
		check_dr6(l2, DR6_BD);
		check_known("DR7.GD", l2->vmcb->save.dr7 & DR7_GD, 0, DR7_GD, BOCHS,
		            "GD of the VMCB stays set");
	}
}

void suite_debug(void)
{
	if (tap_group("debug", "registers"))
		registers();
	if (tap_group("debug", "breakpoints"))
		breakpoints();
	if (tap_group("debug", "int1"))
		int1();
	if (tap_group("debug", "steps"))
		steps();
	point_end();
}
