/*
 * The L1 image `hostile`: what L1 can do to a machine that should not hurt L0, nor one processor
 * the others. With case=NAME on the command line it ends the machine in that way; with s3=1 it asks
 * for S3, from which a bare machine would not come back (s3=memory: where tests/system/hostile.t
 * has registers in memory, too); else it goes on and reports in points. cpus= says how many
 * processors there are.
 */
#include "guest/hostile/hostile.h"
#include "hv/mtrr.h"

enum {
	SEED_TIMES = 1664525u,
	SEED_PLUS = 1013904223u,
	FLUSHES = 5,
	PAUSES = 40000,      /* there are many of them */
	PAUSES_BOCHS = 4000, /* which gives each processor its turn by instructions */
};

volatile bool hostile_stop;
volatile uint32_t *hostile_early_nmis;
volatile struct seen hostile_seen[CPUS_MAX];
static struct l2 *l2_of[L2_SLOTS];

unsigned int hostile_count(void)
{
	uint32_t told = cmdline_number("cpus", 1);

	return told < CPUS_MAX ? told : CPUS_MAX;
}

bool hostile_does(unsigned int number, void (*function)(struct cpu *))
{
	cpu_call(cpu_by_id(number), function);
	return cpu_wait(cpu_by_id(number));
}

/* The first processor has try_call() for itself: what others get is only noted. */
static bool note_trap(struct trap_frame *frame)
{
	uint32_t number = cpu_self()->id;
	volatile struct seen *seen = &hostile_seen[number];

	if (frame->vector == VEC_NMI) {
		seen->nmis++;
		return true;
	}
	if (!number || frame->vector >= 32)
		return false;
	seen->exceptions = (uint32_t)frame->vector + 1;
	seen->error_code = (uint32_t)frame->error;
	return frame->vector == VEC_SX; /* which goes on where it was */
}

struct l2 *hostile_l2(unsigned int number)
{
	l2_of[number] = l2_new(number, &l2_prot);
	return l2_of[number];
}

bool hostile_run_l2(struct l2 *l2, uint32_t rounds)
{
	uint32_t expected = 1;

	for (uint32_t i = 0; i < rounds; i++)
		expected = expected * SEED_TIMES + SEED_PLUS;
	l2->vmcb->save.rax = 1;
	l2->regs.rcx = rounds;
	l2_start(l2, L2_COMPUTE);
	return l2->vmcb->control.exit_code == VMEXIT_VMMCALL && l2_eax(l2) == expected;
}

void hostile_l2s(struct cpu *cpu)
{
	struct l2 *l2 = l2_of[cpu->id];

	while (!hostile_stop) {
		l2->vmcb->save.rax = 1;
		l2->regs.rcx = 1000;
		l2_aim(l2, L2_COMPUTE);
		svm_run_on(cpu->host, &l2->regs, l2->vmcb);
		cpu->alive++;
	}
}

/* The memory types of all memory: L0 makes its tables anew, and every processor flushes. */
void hostile_flush(void)
{
	uint64_t before = rdmsr(MSR_MTRR_DEF_TYPE);

	wrmsr(MSR_MTRR_DEF_TYPE, before ^ MTRR_ENABLE);
	wrmsr(MSR_MTRR_DEF_TYPE, before);
}

bool hostile_restart_all(void)
{
	bool good = true;

	hostile_stop = false;
	for (unsigned int i = 1; i < hostile_count(); i++)
		good &= check("starts", cpu_restart(cpu_by_id(i)), true);
	return good;
}

void hostile_all_answer(unsigned int first)
{
	unsigned int l2s = hostile_count() < L2_SLOTS ? hostile_count() : L2_SLOTS;

	point("every processor starts anew");
	hostile_stop = false;
	for (unsigned int i = first; i < hostile_count(); i++)
		check("starts", cpu_restart(cpu_by_id(i)), true);
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);

	point("each takes one NMI for one that is sent");
	for (unsigned int i = 0; i < hostile_count(); i++) {
		uint32_t nmis = hostile_seen[i].nmis;

		apic_send(i, ICR_NMI | ICR_ASSERT);
		check("NMIs", cpus_wait_for(&hostile_seen[i].nmis, nmis + 1) - nmis, 1);
	}

	point("L2s run everywhere while tables change for all");
	for (unsigned int i = 0; i < l2s; i++)
		hostile_l2(i);
	for (unsigned int i = first; i < l2s; i++)
		cpu_call(cpu_by_id(i), hostile_l2s);
	for (unsigned int i = 0; i < FLUSHES; i++) {
		hostile_flush();
		if (!check("L2 computes", hostile_run_l2(l2_of[0], 1000), true))
			break;
	}
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);
	hostile_stop = true;
	for (unsigned int i = first; i < l2s; i++)
		check("has finished", cpu_wait(cpu_by_id(i)), true);
	point_end();
}

/* What the command line asks for instead of the groups is done here, for it is none. */
static void prepare(void)
{
	const char *name = cmdline_value("case");

	cpus_pauses = machine.bochs ? PAUSES_BOCHS : PAUSES;
	hostile_early_nmis = cpus_init();
	trap_handler = note_trap;
	if (name) {
		point(name);
		hostile_end(name);
		point_fail("# the machine goes on\n");
		point_end();
	} else if (!cmdline_value("s3") && cmdline_value("fpu")) {
		hostile_fpu(cmdline_number("fpu", 0));
	}
}

static void run(void)
{
	if (cmdline_value("case"))
		return;
	if (cmdline_value("s3")) {
		hostile_sleep();
		return;
	}
	if (cmdline_value("fpu"))
		return;
	hostile_init();
	hostile_messages();
	hostile_storms();
	hostile_loops();
	hostile_memory();
	hostile_dma();
	hostile_a20();
	hostile_types();
	hostile_smi();
	hostile_variables();
	hostile_apic(); /* turns one off for good */
}

const struct image image = {
	.name = "hostile", .format = pt_format_of_width, .prepare = prepare, .run = run};
