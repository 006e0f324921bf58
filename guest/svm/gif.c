/*
 * The global interrupt flag: what it holds back and what not, and who sets and clears it. Relies on
 * guest/lib; APM 15.17, table 15-10.
 */
#include "guest/svm/suite.h"

enum { LOW = 0x3c, HIGH = 0x5d, DR7_EXECUTE_0 = 2, DR7_WRITE_4 = 0xd0000 };

static const char lost_nmi[] = "an NMI by IPI is lost while GIF=0";
static const char guests_if[] = "V_INTR_MASKING uses the guest's IF";

static volatile unsigned int order[4], taken;

/* Notes in which order vectors come. */
static bool note(struct trap_frame *frame)
{
	if (taken < ARRAY_SIZE(order))
		order[taken++] = (unsigned int)frame->vector;
	return false;
}

static void nothing(void)
{
}

/* Is GIF 0? An interrupt is sent and waits for STGI; both are looked at. */
static void check_gif0(void)
{
	interrupt_count[LOW] = 0;
	apic_self(LOW);
	sti();
	wait_a_while();
	check_known("taken while GIF=0", interrupt_count[LOW], 0, 1, BOCHS, guests_if);
	stgi();
	wait_a_while();
	cli();
	check("taken after STGI", interrupt_count[LOW], 1);
}

static void held(void)
{
	point("INTR is held while GIF=0 and IF=1, and comes after STGI");
	clgi();
	check_gif0();

	point("INTR that is held still waits for IF=1 after STGI");
	interrupt_count[LOW] = 0;
	clgi();
	apic_self(LOW);
	stgi();
	wait_a_while();
	check("taken with IF=0", interrupt_count[LOW], 0);
	open_window();
	check("taken with IF=1", interrupt_count[LOW], 1);

	point("two INTRs that are held come in the order of their priority");
	trap_handler = note;
	taken = 0;
	clgi();
	apic_self(LOW);
	apic_self(HIGH);
	stgi();
	open_window();
	check("how many", taken, 2);
	check("the first", order[0], HIGH);
	check("the second", order[1], LOW);
	trap_handler = NULL;

	nmi_handler = nothing;
	point("NMI is held while GIF=0, and comes after STGI");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, lost_nmi);
	} else {
		interrupt_count[VEC_NMI] = 0;
		clgi();
		apic_self_nmi();
		wait_a_while();
		check("taken while GIF=0", interrupt_count[VEC_NMI], 0);
		stgi();
		wait_a_while();
		check("taken after STGI", interrupt_count[VEC_NMI], 1);
	}

	point("NMI comes before INTR when both were held");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, lost_nmi);
	} else {
		trap_handler = note;
		taken = 0;
		clgi();
		apic_self(LOW);
		apic_self_nmi();
		wait_a_while();
		sti();
		check("taken while GIF=0", taken, 0);
		stgi();
		wait_a_while();
		cli();
		check("how many", taken, 2);
		check("the first", order[0], VEC_NMI);
		check("the second", order[1], LOW);
		trap_handler = NULL;
	}
	nmi_handler = NULL;
}

static void raise_ud(void *unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static volatile unsigned int debug_traps;

static bool count_debug(struct trap_frame *frame)
{
	if (frame->vector != VEC_DB)
		return false;
	debug_traps++;
	frame->flags &= ~(uintptr_t)RFLAGS_TF;
	return true;
}

static void breakpoint(const void *at)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(at));
	__asm__ volatile("mov %0, %%dr7"
	                 :
	                 : "r"((uintptr_t)(DR7_FIXED | DR7_EXECUTE_0 | DR7_WRITE_4)));
}

static void no_breakpoint(void)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"((uintptr_t)DR7_FIXED));
	__asm__ volatile("mov %0, %%dr6" : : "r"((uintptr_t)DR6_FIXED));
}

static void not_held(void)
{
	static volatile uint32_t watched;

	point("exceptions come while GIF=0");
	clgi();
	check("vector", (uint64_t)(int64_t)try_call(raise_ud, NULL), VEC_UD);
	stgi();

	point("a software interrupt comes while GIF=0");
	interrupt_count[LOW] = 0;
	clgi();
	__asm__ volatile("int %0" : : "i"(LOW) : "memory");
	stgi();
	check("taken", interrupt_count[LOW], 1);

	trap_handler = count_debug;
	point("a single step traps while GIF=0");
	debug_traps = 0;
	clgi();
	__asm__ volatile("pushf\n\t"
	                 "orl $0x100, (%%" STACK_POINTER ")\n\t"
	                 "popf\n\t"
	                 "nop\n\t"
	                 :
	                 :
	                 : "memory", "cc");
	stgi();
	check("traps", debug_traps, 1);
	no_breakpoint();

	point("a breakpoint traps while GIF=1");
	debug_traps = 0;
	breakpoint((const void *)&watched);
	watched = 1;
	no_breakpoint();
	check("traps", debug_traps, 1);

	point("a breakpoint is discarded while GIF=0");
	debug_traps = 0;
	clgi();
	breakpoint((const void *)&watched);
	watched = 2;
	no_breakpoint();
	stgi();
	check_known("traps", debug_traps, 0, 1, machine.bochs ? BOCHS : QEMU,
	            "breakpoints count with GIF=0");
	trap_handler = NULL;
}

/* What ends L2, and leaves GIF=0. */
static void by_vmmcall(struct l2 *l2)
{
	l2_aim(l2, L2_VMMCALL);
}

static void by_npf(struct l2 *l2)
{
	l2->regs.rbx = l2->alias + L2_HOLE;
	l2_aim(l2, L2_READ);
}

static void by_exception(struct l2 *l2)
{
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_UD;
	l2_aim(l2, L2_UD2);
}

static void by_vintr(struct l2 *l2)
{
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_VINTR;
	l2->vmcb->control.int_ctl |= INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR;
	l2->regs.rcx = 100000;
	l2_aim(l2, L2_STI);
}

static void by_invalid(struct l2 *l2)
{
	l2->vmcb->control.asid = 0;
}

static void by_cpuid(struct l2 *l2)
{
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_CPUID;
	l2_aim(l2, L2_CPUID);
}

static void after_exits(void)
{
	static const struct {
		const char *name;
		void (*prepare)(struct l2 *l2);
		uint32_t code; /* 0: whatever it is */
	} rows[] = {
		{"VMMCALL", by_vmmcall, VMEXIT_VMMCALL},
		{"CPUID", by_cpuid, VMEXIT_CPUID},
		{"an exception", by_exception, VMEXIT_EXCP_BASE + VEC_UD},
		{"a nested fault", by_npf, 0},
		{"VINTR", by_vintr, VMEXIT_VINTR},
		{"INVALID", by_invalid, 0},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = l2_new(0, l2_widest());

		point_named("GIF is 0 after #VMEXIT by %s", rows[i].name);
		rows[i].prepare(l2);
		stgi(); /* VMRUN from GIF=1, too */
		vmload(l2->vmcb);
		vmrun_once(&l2->regs, l2->vmcb);
		vmsave(l2->vmcb);
		if (rows[i].code)
			l2_check_exit(l2, rows[i].code);
		check_gif0();
		svm_run(&l2->regs, l2->vmcb); /* brings L1's own state back by VMLOAD */
	}

	point("VMRUN sets GIF: an interrupt that was held ends L2");
	{
		struct l2 *l2 = l2_new(0, l2_widest());

		interrupt_count[LOW] = 0;
		l2_aim(l2, L2_VMMCALL);
		l2->vmcb->save.rflags |= RFLAGS_IF;
		clgi();
		apic_self(LOW);
		sti();
		svm_run_gif0(&l2->regs, l2->vmcb);
		l2_check_exit(l2, VMEXIT_INTR);
		check("taken while GIF=0", interrupt_count[LOW], 0);
		stgi();
		wait_a_while();
		cli();
		check("taken after STGI", interrupt_count[LOW], 1);
	}

	point("STGI and CLGI may be repeated");
	clgi();
	clgi();
	check_gif0();
	stgi();
	stgi();
}

void suite_gif(void)
{
	if (tap_group("gif", "held"))
		held();
	if (tap_group("gif", "not-held"))
		not_held();
	if (tap_group("gif", "transitions"))
		after_exits();
	point_end();
}
