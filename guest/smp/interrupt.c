/*
 * L2s that never end: they stop nobody else, and an interrupt from another processor brings each
 * out. Relies on smp.h.
 */
#include "guest/smp/smp.h"

enum { ROUNDS = 4, EDITS = 32 };

static volatile uint32_t looping; /* how often an L2 began to loop */

/* 2^32 rounds are for ever: only an interrupt ends it, which comes at STGI. */
static void loop(struct cpu *cpu)
{
	struct tester *t = tester_self();

	access_begin(t);
	t->l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	t->l2->regs.rcx = 0;
	t->interrupts = 0;
	l2_aim(t->l2, L2_COMPUTE);
	sti();
	clgi(); /* an interrupt from here on waits for VMRUN, and ends the L2 */
	looping++;
	svm_run_on(cpu->host, &t->l2->regs, t->l2->vmcb);
	for (unsigned int i = 0; i < cpus_polls && !t->interrupts; i++)
		cpu_relax();
	cli();
}

static void check_loop(const struct tester *t)
{
	check("exit code", t->l2->vmcb->control.exit_code, VMEXIT_INTR);
	check("interrupts", t->interrupts, 1);
}

static void poke_first(struct cpu *cpu)
{
	(void)cpu;
	cpus_wait_for(&looping, 1);
	for (unsigned int i = 0; i < cpus_pauses / 50; i++)
		cpu_relax();
	apic_send(testers[0].cpu->id, POKE_VECTOR);
}

static void wake(const struct tester *t)
{
	apic_send(t->cpu->id, POKE_VECTOR);
	if (!cpu_wait(t->cpu))
		run_failed("# processor %u does not come out of its L2\n", t->number);
	check_loop(t);
}

void smp_interrupts(const struct l2_kind *kind)
{
	const struct script script = {.kinds = ALL_EDITS, .edits = EDITS};

	point("an interrupt from another processor ends an L2 that loops");
	scene_make(kind, 1);
	for (unsigned int n = 0; n < ROUNDS * (tester_count - 1); n++) {
		const struct tester *t = &testers[1 + n % (tester_count - 1)];

		looping = 0;
		cpu_call(t->cpu, loop);
		cpus_wait_for(&looping, 1);
		wake(t);
	}

	point("an interrupt to the first processor does, too");
	for (unsigned int i = 1; i < tester_count; i++) {
		looping = 0;
		cpu_call(testers[i].cpu, poke_first);
		loop(testers[0].cpu);
		cpu_wait(testers[i].cpu);
		check_loop(&testers[0]);
	}

	point("L2s that loop keep nobody from running and editing");
	looping = 0;
	scene_make(kind, 1);
	for (unsigned int i = 1; i < tester_count; i++) {
		testers[i].out = true;
		cpu_call(testers[i].cpu, loop);
	}
	cpus_wait_for(&looping, tester_count - 1);
	if (!play(&script))
		report_failures(&script);
	for (unsigned int i = 1; i < tester_count; i++) {
		wake(&testers[i]);
		testers[i].out = false;
	}
}
