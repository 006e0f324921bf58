/*
 * SVM's instructions of L2 that L1 does not intercept: they act on L1's virtual machine, never on
 * what is under it. Relies on guest/lib; APM 15.9, 15.14, 15.17.
 */
#include "guest/svm/suite.h"

enum {
	VECTOR = 0x3e,
	NGPA_APIC = L2_HOLE,
	ROUNDS = 2000,
	UNALIGNED = 0x10,
};

#define VALUE 0x0012345600000000ull

static struct vmcb own, page;

/* Runs L2 between L1's own VMSAVE and VMLOAD, without one of L2's state. */
static void run_bare(struct l2 *l2)
{
	clgi();
	vmsave(&own);
	vmrun_once(&l2->regs, l2->vmcb);
}

static void end_bare(void)
{
	vmload(&own);
	stgi();
}

static bool passes_by_name(const struct l2 *l2, uint64_t code)
{
	uint64_t got = l2->vmcb->control.exit_code;

	return lets_pass(got == code, QEMU_BARE, "it exits though it is not intercepted") ||
	       lets_pass(!got, BOCHS_BARE, "#VMEXIT then writes to the VMCB that L2 named");
}

static void load_and_save(void)
{
	static const struct code load = CODE("\x0f\x01\xda"), save = CODE("\x0f\x01\xdb");
	struct l2 *l2 = fresh("VMLOAD of L2 loads from L1's memory");
	uint64_t star;

	memset(&page, 0, sizeof(page));
	vmsave(&page);
	page.save.star = VALUE;
	load_code(l2, &load);
	l2->vmcb->save.rax = l2_gpa(&page);
	run_bare(l2);
	star = rdmsr(MSR_STAR);
	end_bare();
	if (!passes_by_name(l2, VMEXIT_VMLOAD)) {
		check_through(l2, 3);
		check("STAR", star, VALUE);
	}

	l2 = fresh("VMSAVE of L2 saves to L1's memory");
	memset(&page, 0, sizeof(page));
	wrmsr(MSR_STAR, VALUE + 1);
	load_code(l2, &save);
	l2->vmcb->save.rax = l2_gpa(&page);
	run_bare(l2);
	end_bare();
	if (!passes_by_name(l2, VMEXIT_VMSAVE)) {
		check_through(l2, 3);
		check("STAR", page.save.star, VALUE + 1);
	}
	wrmsr(MSR_STAR, 0);

	l2 = fresh("VMLOAD of L2 with rAX not at a page raises #GP in L2");
	l2->vmcb->save.rax = l2_gpa(&page) + UNALIGNED;
	run_code(l2, &load);
	l2_check_vector(l2, VEC_GP);

	l2 = fresh("VMSAVE of L2 with rAX not at a page raises #GP in L2");
	l2->vmcb->save.rax = l2_gpa(&page) + UNALIGNED;
	run_code(l2, &save);
	l2_check_vector(l2, VEC_GP);
}

/* CLGI; MOV [RBX], EAX sends an interrupt; a loop; STGI; a loop. */
#define LOOP "\xff\xc9\x75\xfc"
#define SEND "\x89\x03"
#define CLGI "\x0f\x01\xdd"
#define STGI "\x0f\x01\xdc"
#define MORE "\xb9\xd0\x07\x00\x00" /* MOV ECX, 2000 */

static struct l2 *sender(const char *name, const struct code *code)
{
	struct l2 *l2 = fresh(name);

	pt_map(&l2->npt, NGPA_APIC, apic_base(), 1, PT_RWU | PT_PCD | PT_PWT);
	if (!l2->nested)
		l2_use_root(l2);
	l2->regs.rbx = NGPA_APIC + APIC_ICR_LOW;
	l2->vmcb->save.rax = ICR_SELF | VECTOR;
	l2->regs.rcx = ROUNDS;
	l2->vmcb->save.rflags |= RFLAGS_IF;
	interrupt_count[VECTOR] = 0;
	load_code(l2, code);
	return l2;
}

static void gif(void)
{
	static const struct code held = CODE(CLGI SEND LOOP),
				 released = CODE(CLGI SEND LOOP STGI MORE LOOP);
	struct l2 *l2 = sender("CLGI of L2 holds L1's interrupts back", &held);
	uint64_t rip;

	clgi();
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
	check_through(l2, held.length);
	check("taken by L1 while GIF=0", interrupt_count[VECTOR], 0);
	stgi();
	wait_a_while();
	cli();
	check("taken by L1 after STGI", interrupt_count[VECTOR], 1);

	l2 = sender("STGI of L2 lets L1's interrupts through", &released);
	clgi();
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
	l2_check_exit(l2, VMEXIT_INTR);
	rip = l2->vmcb->save.rip;
	check_range("rip", rip, L2_BOOT + held.length, L2_BOOT + released.length);
	stgi();
	wait_a_while();
	cli();
	check("taken by L1 after STGI", interrupt_count[VECTOR], 1);
}

static void others(void)
{
	static const struct code skinit = CODE("\x0f\x01\xde"), invlpga = CODE("\x0f\x01\xdf");
	struct l2 *l2 = fresh("SKINIT of L2 raises #UD where it is not offered");

	if (cpuid(0x80000001, 0).ecx & 1u << 12) {
		point_skip("SKINIT is offered: it would start a secure loader");
	} else if (!lets_pass(true, BOCHS_BARE, "SKINIT panics: not tried")) {
		run_code(l2, &skinit);
		l2_check_vector(l2, VEC_UD);
	}

	l2 = fresh("INVLPGA of L2 for an ASID that is not offered does no harm");
	l2->regs.rcx = 0xffffffff;
	l2->vmcb->save.rax = L2_CODE;
	run_code(l2, &invlpga);
	check_through(l2, 3);

	l2 = fresh("L2 finds EFER.SVME set");
	l2->regs.rcx = MSR_EFER;
	l2_start(l2, L2_RDMSR);
	l2_check_done(l2);
	check("EFER.SVME", l2_eax(l2) & EFER_SVME, EFER_SVME);
}

/* In real mode there are no such instructions, whatever L1 intercepts. */
static void real_mode(void)
{
	static const struct {
		const char *name;
		enum l2_snippet snippet;
	} rows[] = {
		{"VMRUN", L2_VMRUN},     {"VMLOAD", L2_VMLOAD}, {"VMSAVE", L2_VMSAVE},
		{"STGI", L2_STGI},       {"CLGI", L2_CLGI},     {"SKINIT", L2_SKINIT},
		{"INVLPGA", L2_INVLPGA},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = l2_new(0, &l2_real);

		point_named("%s of an L2 in real mode raises #UD before its intercept counts",
		            rows[i].name);
		if (!l2->nested) {
			point_skip(l2_lacks_nesting);
			continue;
		}
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_INVLPGA;
		l2->vmcb->control.intercepts[INTERCEPT_MISC2] |=
			MISC2_VMLOAD | MISC2_VMSAVE | MISC2_STGI | MISC2_CLGI | MISC2_SKINIT;
		l2->vmcb->save.rax = L2_SCRATCH;
		l2_start(l2, rows[i].snippet);
		l2_check_vector(l2, VEC_UD);
	}
}

void suite_own(void)
{
	if (tap_group("entry", "svm")) {
		load_and_save();
		gif();
		others();
		real_mode();
	}
	point_end();
}
