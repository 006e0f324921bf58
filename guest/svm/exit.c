/*
 * #VMEXIT: what L1 finds behind it, which event was in flight, and what comes before an intercept.
 * Relies on guest/lib; APM 15.6, 15.7, 15.9 (order of checks).
 */
#include "guest/svm/suite.h"

enum {
	VECTOR = 0x21,
	PHYSICAL = 0x3f,
	VIRTUAL = 0x2f,
	ERROR_CODE = 0x18,
	TIMER_COUNTS = 20000000,
	TIMER_COUNTS_MOST = 64 * TIMER_COUNTS,
	DR7_ALL = 0xff,
};

static const char older_event[] = "EXITINTINFO shows an older event";
static const char wrong_type[] = "an interrupt in flight is called an exception";

static const uint64_t in_flight_bits = EVENT_VALID | EVENT_TYPE_MASK | EVENT_VECTOR_MASK;

static unsigned long read_dr7(void)
{
	unsigned long value;

	__asm__ volatile("mov %%dr7, %0" : "=r"(value));
	return value;
}

static void host(void)
{
	struct l2 *l2 = fresh("breakpoints of DR7 are off behind #VMEXIT");

	__asm__ volatile("mov %0, %%dr7" : : "r"((unsigned long)(DR7_FIXED | DR7_ALL)));
	clgi();
	l2_aim(l2, L2_VMMCALL);
	svm_run_gif0(&l2->regs, l2->vmcb);
	check_known("DR7", read_dr7(), DR7_FIXED, DR7_FIXED | DR7_ALL, QEMU_BARE,
	            "DR7 stays as it was before VMRUN");
	__asm__ volatile("mov %0, %%dr7" : : "r"((unsigned long)DR7_FIXED));
	stgi();
	check("L2's DR7", l2->vmcb->save.dr7, DR7_FIXED);

	point("L2 in real mode leaves CR0.PE and CPL 0 to L1");
	l2 = l2_new(0, &l2_real);
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	check("CR0.PE", read_cr0() & CR0_PE, CR0_PE);

	l2 = new_user();
	point("L2 at CPL 3 leaves CPL 0 to L1");
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	check("L2's CPL", l2->vmcb->save.cpl, 3);
	(void)read_cr0(); /* #GP at CPL 3 */

	point("what VMSAVE saves, #VMEXIT does not");
	l2 = l2_new(0, l2_widest());
	l2->vmcb->save.fs.base = 0x1111000;
	l2->vmcb->save.kernel_gs_base = 0x2222000;
	l2_aim(l2, L2_VMMCALL);
	clgi();
	vmrun_once(&l2->regs, l2->vmcb);
	stgi();
	check("FS", l2->vmcb->save.fs.base, 0x1111000);
	check("KernelGSBase", l2->vmcb->save.kernel_gs_base, 0x2222000);

	point("an exit without an event shows none in EXITINTINFO");
	check("EXITINTINFO", l2->vmcb->control.exit_int_info & EVENT_VALID, 0);
}

/* L2's IDT is not mapped: the event cannot be delivered. */
static struct l2 *without_idt(void)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	pt_set(&l2->npt, L2_IDT, 1, 0);
	l2->flush = true;
	l2_aim(l2, L2_VMMCALL);
	return l2;
}

static void injected_in_flight(void)
{
	static const struct {
		const char *name;
		enum event_type type;
		unsigned int vector;
		bool error;
	} rows[] = {
		{"an external interrupt", EVENT_INTR, VECTOR, false},
		{"an NMI", EVENT_NMI, VEC_NMI, false},
		{"a software interrupt", EVENT_SOFT_INTR, VECTOR, false},
		{"#DE", EVENT_EXCEPTION, VEC_DE, false},
		{"#UD", EVENT_EXCEPTION, VEC_UD, false},
		{"#NP with its error code", EVENT_EXCEPTION, VEC_NP, true},
		{"#GP with its error code", EVENT_EXCEPTION, VEC_GP, true},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = without_idt();
		uint64_t what = event(rows[i].type, rows[i].vector), mask = in_flight_bits;

		if (rows[i].error) {
			what = event_error(rows[i].vector, ERROR_CODE);
			mask |= EVENT_ERROR_VALID | 0xffffffffull << EVENT_ERROR_SHIFT;
		}
		point_named("EXITINTINFO shows %s that was injected", rows[i].name);
		l2->vmcb->control.event_inj = what;
		l2_run(l2);
		if (emulator_is(KVM) && rows[i].type == EVENT_SOFT_INTR &&
		    l2->vmcb->control.exit_code == VMEXIT_VMMCALL) {
			point_known(KVM, "a software interrupt whose delivery faults is lost");
			continue;
		}
		l2_check_exit(l2, l2_fault_exit(l2));
		check_known("EXITINTINFO", l2->vmcb->control.exit_int_info & mask, what,
		            rows[i].type == EVENT_NMI ? event(EVENT_NMI, 0) : what, KVM,
		            "EXITINTINFO of an NMI has no vector");
		check("EVENTINJ", l2->vmcb->control.event_inj & EVENT_VALID, 0);
		l2_aim(l2, L2_VMMCALL);
		check("rip", l2->vmcb->save.rip,
		      L2_CODE + *(uint16_t *)(l2->low + L2_CODE + 2 * L2_VMMCALL));
	}
}

static void own_in_flight(void)
{
	static const struct code wrong_selector = CODE("\x8e\xe0"); /* MOV FS, AX */
	struct l2 *l2;
	uint64_t info;

	point("EXITINTINFO shows L2's own #GP with its error code");
	l2 = without_idt();
	l2->vmcb->save.rax = 0x1000;
	run_code(l2, &wrong_selector);
	l2_check_exit(l2, l2_fault_exit(l2));
	check("EXITINTINFO", l2->vmcb->control.exit_int_info, event_error(VEC_GP, 0x1000));

	point("EXITINTINFO shows an external interrupt that L1 does not intercept");
	l2 = without_idt();
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_INTR;
	l2->vmcb->control.int_ctl = 0;
	l2->vmcb->save.rflags |= RFLAGS_IF;
	interrupt_count[PHYSICAL] = 0;
	clgi();
	apic_self(PHYSICAL);
	svm_run_gif0(&l2->regs, l2->vmcb);
	stgi();
	info = l2->vmcb->control.exit_int_info;
	l2_check_exit(l2, l2_fault_exit(l2));
	if (!lets_pass(info != event(EVENT_INTR, PHYSICAL), BOCHS, older_event))
		check_known("EXITINTINFO", info & in_flight_bits, event(EVENT_INTR, PHYSICAL),
		            event(EVENT_EXCEPTION, PHYSICAL), QEMU_BARE, wrong_type);
	apic_eoi(PHYSICAL);
	open_window();
	check("taken by L1", interrupt_count[PHYSICAL], 0);

	point("EXITINTINFO shows a virtual interrupt, and V_IRQ is clear");
	l2 = without_idt();
	l2->vmcb->control.int_ctl |=
		INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR | (uint64_t)VIRTUAL << INT_CTL_V_INTR_VECTOR_S;
	l2->regs.rcx = 10000;
	l2_start(l2, L2_STI);
	l2_check_exit(l2, l2_fault_exit(l2));
	if (!lets_pass((l2->vmcb->control.exit_int_info & in_flight_bits) ==
	                       event(EVENT_EXCEPTION, VIRTUAL),
	               QEMU_BARE, wrong_type) &&
	    !lets_pass(l2->vmcb->control.exit_int_info != event(EVENT_INTR, VIRTUAL), BOCHS,
	               older_event)) {
		check("EXITINTINFO", l2->vmcb->control.exit_int_info & in_flight_bits,
		      event(EVENT_INTR, VIRTUAL));
		check("V_IRQ", l2->vmcb->control.int_ctl & INT_CTL_V_IRQ, 0);
	}

	point("EXITINTINFO shows the event whose missing gate raised an intercepted #GP");
	l2 = l2_new(0, l2_widest());
	l2->vmcb->save.idtr.limit = 0;
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_GP;
	l2_start(l2, L2_UD2);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_GP);
	check("EXITINTINFO", l2->vmcb->control.exit_int_info & in_flight_bits,
	      event(EVENT_EXCEPTION, VEC_UD));
}

struct privileged {
	const char *name;
	struct code code;
};

/* APM 15.9: an exception for lack of privilege comes before the intercept. */
static void privilege(void)
{
	static const struct privileged rows[] = {
		{"HLT", CODE("\xf4")},
		{"CLTS", CODE("\x0f\x06")},
		{"LMSW", CODE("\x0f\x01\xf0")},
		{"MOV from CR0", CODE("\x0f\x20\xc0")},
		{"MOV to CR3", CODE("\x0f\x22\xd8")},
		{"MOV from DR7", CODE("\x0f\x21\xf8")},
		{"INVLPG", CODE("\x0f\x01\x3b")},
		{"LGDT", CODE("\x0f\x01\x13")},
		{"LIDT", CODE("\x0f\x01\x1b")},
		{"LLDT", CODE("\x0f\x00\xd0")},
		{"LTR", CODE("\x0f\x00\xd8")},
		{"RDMSR", CODE("\x0f\x32")},
		{"WRMSR", CODE("\x0f\x30")},
		{"WBINVD", CODE("\x0f\x09")},
		{"INVD", CODE("\x0f\x08")},
		{"IN", CODE("\xec")},
		{"OUT", CODE("\xee")},
		{"RDTSC with CR4.TSD", CODE("\x0f\x31")},
		{"VMRUN", CODE("\x0f\x01\xd8")},
		{"VMLOAD", CODE("\x0f\x01\xda")},
		{"VMSAVE", CODE("\x0f\x01\xdb")},
		{"STGI", CODE("\x0f\x01\xdc")},
		{"CLGI", CODE("\x0f\x01\xdd")},
		{"INVLPGA", CODE("\x0f\x01\xdf")},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = new_user();
		uint32_t *intercepts = l2->vmcb->control.intercepts;

		point_named("%s at CPL 3 raises #GP before its intercept counts", rows[i].name);
		memset(l2_iopm, 0xff, sizeof(l2_iopm));
		memset(l2_msrpm, 0xff, sizeof(l2_msrpm));
		intercepts[INTERCEPT_CR] = intercepts[INTERCEPT_DR] = ~0u;
		intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_GP;
		intercepts[INTERCEPT_MISC1] = ~0u;
		intercepts[INTERCEPT_MISC2] = MISC2_XSETBV * 2 - 1;
		l2->vmcb->save.cr4 |= CR4_TSD;
		l2->regs.rbx = L2_SCRATCH;
		l2->regs.rcx = MSR_SYSENTER_CS;
		l2->regs.rdx = 0x84;
		run_code(l2, &rows[i].code);
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_GP);
		check("rip", l2->vmcb->save.rip, L2_BOOT);
	}
}

/* What CPL 3 may execute exits as at CPL 0. */
static void from_cpl3(void)
{
	static const struct {
		const char *name;
		struct code code;
		enum vmexit_code exit;
	} rows[] = {
		{"CPUID", CODE("\x0f\xa2"), VMEXIT_CPUID},
		{"RDTSC", CODE("\x0f\x31"), VMEXIT_RDTSC},
		{"PAUSE", CODE("\xf3\x90"), VMEXIT_PAUSE},
		{"PUSHF", CODE("\x9c"), VMEXIT_PUSHF},
		{"INTn", CODE("\xcd\x31"), VMEXIT_SWINT},
		{"SGDT", CODE("\x0f\x01\x03"), VMEXIT_GDTR_READ},
		{"SIDT", CODE("\x0f\x01\x0b"), VMEXIT_IDTR_READ},
		{"SLDT", CODE("\x0f\x00\xc0"), VMEXIT_LDTR_READ},
		{"STR", CODE("\x0f\x00\xc8"), VMEXIT_TR_READ},
		{"SMSW", CODE("\x0f\x01\xe0"), VMEXIT_CR0_READ},
		{"VMMCALL", CODE("\x0f\x01\xd9"), VMEXIT_VMMCALL},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = new_user();

		point_named("%s at CPL 3 exits", rows[i].name);
		l2->vmcb->control.intercepts[INTERCEPT_CR] = ~0u;
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] = ~0u;
		l2->regs.rbx = L2_SCRATCH;
		run_code(l2, &rows[i].code);
		check_before(l2, rows[i].exit, rows[i].code.length);
		check("L2's CPL", l2->vmcb->save.cpl, 3);
	}
}

/* L2 halts, and the timer wakes it: later, if it has come before L2 did. */
static void halt_for_timer(struct l2 *l2)
{
	for (uint32_t counts = TIMER_COUNTS; counts <= TIMER_COUNTS_MOST; counts *= 4) {
		interrupt_count[PHYSICAL] = 0;
		apic_timer(PHYSICAL, counts);
		clgi();
		sti();
		svm_run_gif0(&l2->regs, l2->vmcb);
		apic_timer_stop();
		stgi();
		wait_a_while();
		cli();
		if (l2->vmcb->control.exit_code != VMEXIT_INTR || l2->vmcb->save.rip != L2_BOOT)
			return;
	}
}

static void ends(void)
{
	static const struct code hlt = CODE("\xf4");
	struct l2 *l2 = fresh("HLT, not intercepted, waits for an interrupt");
	uint64_t efer;

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_HLT;
	l2->vmcb->save.rflags |= RFLAGS_IF;
	load_code(l2, &hlt);
	halt_for_timer(l2);
	l2_check_exit(l2, VMEXIT_INTR);
	check("rip", l2->vmcb->save.rip, L2_BOOT + hlt.length);
	check("taken by L1", interrupt_count[PHYSICAL], 1);

	/* APM 15.4: undefined for L2. L1 must get its machine back. */
	l2 = fresh("L2 that clears EFER.SVME does not take it from L1");
	if (lets_pass(true, BOCHS_BARE, "#VMEXIT is no more then: not tried"))
		return;
	efer = rdmsr(MSR_EFER);
	l2->regs.rcx = MSR_EFER;
	l2->vmcb->save.rax = (uint32_t)(l2->vmcb->save.efer & ~(uint64_t)EFER_SVME);
	l2->regs.rdx = 0;
	l2_start(l2, L2_WRMSR);
	check("L1's EFER", rdmsr(MSR_EFER), efer);
	l2 = l2_new(0, l2_widest());
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}

void suite_exit(void)
{
	if (tap_group("exit", "host"))
		host();
	if (tap_group("exit", "in-flight")) {
		injected_in_flight();
		own_in_flight();
	}
	if (tap_group("exit", "privilege")) {
		privilege();
		from_cpl3();
	}
	if (tap_group("exit", "ends"))
		ends();
	point_end();
}
