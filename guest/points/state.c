/*
 * State that VMRUN, #VMEXIT, VMLOAD and VMSAVE move, and state that they must leave alone. Relies
 * on guest/lib; APM 15.5, 15.6 and 15.14.
 */
#include "guest/points/points.h"

/* What L1 must find again behind VMRUN. */
struct l1_state {
	uint64_t cr0, cr3, cr4, dr7, efer, flags;
	uint16_t cs, ds, es, ss;
	uint8_t gdtr[10], idtr[10];
};

static struct l1_state observe(void)
{
	struct l1_state s;
	unsigned long flags, dr7;

	memset(&s, 0, sizeof(s));
	s.cr0 = read_cr0();
	s.cr3 = read_cr3();
	s.cr4 = read_cr4();
	s.efer = rdmsr(MSR_EFER);
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	s.flags = flags & (RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_VM | 1u << 10 /* DF */);
	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
	s.dr7 = dr7;
	__asm__ volatile("mov %%cs, %0" : "=rm"(s.cs));
	__asm__ volatile("mov %%ds, %0" : "=rm"(s.ds));
	__asm__ volatile("mov %%es, %0" : "=rm"(s.es));
	__asm__ volatile("mov %%ss, %0" : "=rm"(s.ss));
	__asm__ volatile("sgdt %0" : "=m"(s.gdtr));
	__asm__ volatile("sidt %0" : "=m"(s.idtr));
	return s;
}

static void compare(const struct l1_state *before, const struct l1_state *after)
{
	check("CR0", after->cr0, before->cr0);
	check("CR3", after->cr3, before->cr3);
	check("CR4", after->cr4, before->cr4);
	check("EFER", after->efer, before->efer);
	check("RFLAGS", after->flags, before->flags);
	check("CS", after->cs, before->cs);
	check("DS", after->ds, before->ds);
	check("ES", after->es, before->es);
	check("SS", after->ss, before->ss);
	check("DR7", after->dr7, DR7_FIXED);
	check("GDTR differs", (uint64_t)(memcmp(after->gdtr, before->gdtr, 10) != 0), 0);
	check("IDTR differs", (uint64_t)(memcmp(after->idtr, before->idtr, 10) != 0), 0);
}

static void l1_registers(const struct l2_kind *kind, const char *name)
{
	struct l2 *l2 = l2_new(0, kind);
	struct l1_state before, after;

	point(name);
	before = observe();
	l2_start(l2, L2_CLOBBER);
	after = observe();
	l2_check_done(l2);
	compare(&before, &after);
	check("RAX behind VMRUN", l2->regs.host_rax, (uintptr_t)l2->vmcb);
}

static void l2_registers(void)
{
	struct l2 *l2 = l2_new(0, l2_widest());
	uint64_t efer;

	point("L2's registers come back");
	l2_start(l2, L2_CLOBBER);
	l2_check_value(l2, 0xaaaaaaaa);
	check("RBX", l2->regs.rbx, 0xbbbbbbbb);
	check("RCX", l2->regs.rcx, 0xcccccccc);
	check("RDX", l2->regs.rdx, 0xdddddddd);
	check("RSI", l2->regs.rsi, 0x51515151);
	check("RDI", l2->regs.rdi, 0xd1d1d1d1);
	check("RBP", l2->regs.rbp, 0xb9b9b9b9);
	for (unsigned int i = 0; l2->kind->bits == 64 && i < 8; i++)
		check("R8 to R15", l2->regs.r8_to_r15[i], 0x1234567800000008ull + i);

	point("#VMEXIT saves what L2 changed of its state");
	l2 = l2_new(0, l2_widest());
	l2->regs.rbx = l2->own.root | PT_PCD;
	efer = l2->vmcb->save.efer;
	l2_start(l2, L2_STATE);
	l2_check_done(l2);
	check("CR0", l2->vmcb->save.cr0, l2->kind->cr0 | CR0_TS);
	check("CR4", l2->vmcb->save.cr4, l2->kind->cr4 | CR4_TSD);
	check("CR3", l2->vmcb->save.cr3, l2->own.root | PT_PCD);
	check("EFER", l2->vmcb->save.efer, efer);
	check("RSP", l2->vmcb->save.rsp, L2_STACK_TOP - l2->kind->bits / 8);
	check("RFLAGS: DF and CF", l2->vmcb->save.rflags & 0x401, 0x401);
	check("CPL", l2->vmcb->save.cpl, 0);
}

/* A value of each field that VMLOAD and VMSAVE move; bases are canonical. */
static void fill(struct vmcb_save *s)
{
	s->fs = (struct vmcb_segment){{{0x23, 0xc93, 0xfffff}}, 0x11110000};
	s->gs = (struct vmcb_segment){{{0x2b, 0xc93, 0xffff}}, 0x22220000};
	s->ldtr = (struct vmcb_segment){{{0x30, 0x82, 0xff}}, 0x33330000};
	s->tr = (struct vmcb_segment){{{0x38, 0x8b, 0x67}}, 0x44440000};
	s->kernel_gs_base = 0xffff800012345000ull;
	s->star = 0x0023001012340000ull;
	s->lstar = 0xffff800000112233ull;
	s->cstar = 0xffff800000445566ull;
	s->sfmask = 0x47700;
	s->sysenter_cs = 0x60;
	s->sysenter_esp = 0x778899;
	s->sysenter_eip = 0xaabbcc;
}

static void check_segment(const char *what, const struct vmcb_segment *got,
                          const struct vmcb_segment *expected)
{
	check(what, got->selector, expected->selector);
	check(what, got->base, expected->base);
	check(what, got->limit, expected->limit);
	check(what, got->attributes, expected->attributes);
}

static void check_moved(const struct vmcb_save *got, const struct vmcb_save *expected)
{
	check_segment("FS", &got->fs, &expected->fs);
	check_segment("GS", &got->gs, &expected->gs);
	check_segment("LDTR", &got->ldtr, &expected->ldtr);
	check_segment("TR", &got->tr, &expected->tr);
	check("KernelGSBase", got->kernel_gs_base, expected->kernel_gs_base);
	check("STAR", got->star, expected->star);
	check("LSTAR", got->lstar, expected->lstar);
	check("CSTAR", got->cstar, expected->cstar);
	check("SFMASK", got->sfmask, expected->sfmask);
	check("SYSENTER_CS", got->sysenter_cs, expected->sysenter_cs);
	check("SYSENTER_ESP", got->sysenter_esp, expected->sysenter_esp);
	check("SYSENTER_EIP", got->sysenter_eip, expected->sysenter_eip);
}

static void load_and_save(void)
{
	static struct vmcb own, from, to;

	point("VMLOAD and VMSAVE move their state and nothing else");
	memset(&to, 0, sizeof(to));
	fill(&from.save);
	to.save.rax = 0x5555;
	to.control.exit_code = 0x6666;
	vmsave(&own);
	vmload(&from);
	vmsave(&to);
	vmload(&own);
	check_moved(&to.save, &from.save);
	check("RAX", to.save.rax, 0x5555);
	check("exit code", to.control.exit_code, 0x6666);

	point("VMLOAD gives L1 its own state back");
	memset(&to, 0, sizeof(to));
	vmsave(&to);
	check_moved(&to.save, &own.save);
	check("STAR", rdmsr(MSR_STAR), own.save.star);
	check("SYSENTER_CS", rdmsr(MSR_SYSENTER_CS), own.save.sysenter_cs);
}

static void segments_of_l2(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t star;

	point("L2 uses the FS that VMLOAD loaded");
	*(uint32_t *)(l2->low + L2_SCRATCH + 8) = 0xf5f5f5f5;
	l2->vmcb->save.fs.base = L2_SCRATCH;
	l2->regs.rbx = 8;
	l2_start(l2, L2_READ_FS);
	l2_check_value(l2, 0xf5f5f5f5);

	point("VMSAVE saves the FS that L2 loaded");
	l2->vmcb->save.fs.base = 0;
	l2->vmcb->save.rax = L2_BASED_SEL;
	l2_start(l2, L2_LOAD_FS);
	l2_check_done(l2);
	check("selector", l2->vmcb->save.fs.selector, L2_BASED_SEL);
	check("base", l2->vmcb->save.fs.base, L2_SCRATCH);

	point("VMRUN and #VMEXIT leave alone what VMLOAD and VMSAVE move");
	l2 = l2_new(0, &l2_prot);
	star = rdmsr(MSR_STAR);
	l2->vmcb->save.star = 0x1111;
	l2->regs.rcx = MSR_STAR;
	l2->regs.rdx = 0;
	l2->vmcb->save.rax = 0x2222;
	l2_aim(l2, L2_WRMSR);
	clgi();
	vmrun_once(&l2->regs, l2->vmcb);
	stgi();
	l2_check_done(l2);
	check("in the VMCB", l2->vmcb->save.star, 0x1111);
	check("in the processor", rdmsr(MSR_STAR), 0x2222);
	wrmsr(MSR_STAR, star);
}

static void time_stamp(void)
{
	const uint64_t offsets[] = {1ull << 40, -(1ull << 38), 0};
	struct l2 *l2 = l2_new(0, &l2_prot);

	point("TSC_OFFSET is added to what L2 reads");
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t before, after, seen;

		l2->vmcb->control.tsc_offset = offsets[i];
		before = rdtsc();
		l2_start(l2, L2_RDTSC);
		after = rdtsc();
		seen = l2_edx_eax(l2) - offsets[i];
		l2_check_done(l2);
		check_range("TSC less the offset", seen, before, after);
	}
}

void points_state(void)
{
	if (!tap_group("machine", "state"))
		return;
	l1_registers(&l2_real, "L1 finds its state again behind an L2 in real mode");
	l1_registers(&l2_2level, "L1 finds its state again behind an L2 in 32-bit mode");
	l1_registers(l2_widest(), "L1 finds its state again behind the widest L2");
	l2_registers();
	load_and_save();
	segments_of_l2();
	time_stamp();
}
