/*
 * INIT, SIPI and NMI without end, from one processor or from several, at processors that wait, run
 * or have L2s.
 */
#include "guest/hostile/hostile.h"

enum { SENDS = 25 };

static unsigned int sends;
static volatile uint32_t phase;

static bool too_few(unsigned int needed)
{
	if (hostile_count() >= needed)
		return false;
	point("all of the group");
	point_skip("there are too few processors");
	point_end();
	return true;
}

static void let_l2s_run(unsigned int first)
{
	hostile_stop = false;
	for (unsigned int i = first; i < hostile_count(); i++) {
		check("starts", cpu_restart(cpu_by_id(i)), true);
		cpu_call(cpu_by_id(i), hostile_l2s);
	}
}

static void storm(uint32_t command)
{
	for (unsigned int i = 0; i < sends; i++)
		apic_send(0, command | ICR_OTHERS);
}

static void storm_from_here(void)
{
	if (!tap_group("hostile", "storm") || too_few(2))
		return;
	point("INITs to processors that run");
	hostile_restart_all();
	storm(ICR_INIT | ICR_ASSERT);
	hostile_all_answer(1);

	point("INITs and SIPIs to processors that run");
	for (unsigned int i = 0; i < sends; i++) {
		cpus_send_init(0, ICR_OTHERS);
		cpus_send_sipi(0, ICR_OTHERS, CPUS_PAGE);
		cpus_send_sipi(0, ICR_OTHERS, CPUS_PAGE);
	}
	hostile_all_answer(1);

	point("SIPIs to processors that run");
	storm(ICR_STARTUP | CPUS_PAGE >> PAGE_SHIFT);
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);
	hostile_all_answer(1);
}

static void storm_at_l2s(void)
{
	if (!tap_group("hostile", "storm-l2") || too_few(2))
		return;
	for (unsigned int i = 0; i < L2_SLOTS && i < hostile_count(); i++)
		hostile_l2(i);
	point("INITs to processors that run L2s");
	let_l2s_run(1);
	storm(ICR_INIT | ICR_ASSERT);
	hostile_all_answer(1);

	point("NMIs to processors that run L2s");
	let_l2s_run(1);
	storm(ICR_NMI | ICR_ASSERT);
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);
	hostile_all_answer(1);
}

/* What others do. */
static void nmis_to_the_first(struct cpu *cpu)
{
	while (!hostile_stop) {
		apic_send(0, ICR_NMI | ICR_ASSERT);
		cpu->alive++;
	}
}

static void startups_of_the_last(struct cpu *cpu)
{
	unsigned int last = hostile_count() - 1;

	while (!hostile_stop) {
		cpus_send_init(last, 0);
		cpus_send_sipi(last, 0, CPUS_PAGE);
		cpu->alive++;
	}
}

static void flushes(struct cpu *cpu)
{
	while (!hostile_stop) {
		hostile_flush();
		cpu->alive++;
	}
}

/* NMIs may come so fast that no L2 gets anywhere; each of its runs ends, though. */
static void run_under_storm(void)
{
	struct l2 *l2 = hostile_l2(0);
	unsigned int ran = 0;

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI;
	while (ran < sends && (hostile_run_l2(l2, 10) || l2->vmcb->control.exit_code == VMEXIT_NMI))
		ran++;
	check("runs of L2", ran, sends);
}

static void end_of_storm(unsigned int first)
{
	hostile_stop = true;
	for (unsigned int i = first; i < hostile_count(); i++)
		cpu_wait(cpu_by_id(i));
}

static void storm_from_there(void)
{
	uint32_t before;

	if (!tap_group("hostile", "storm-nmi") || too_few(2))
		return;
	point("NMIs without end to one that runs L2s");
	before = hostile_seen[0].nmis;
	hostile_restart_all();
	cpu_call(cpu_by_id(1), nmis_to_the_first);
	run_under_storm();
	check("the sender is alive", cpus_counts(&cpu_by_id(1)->alive), true);
	end_of_storm(1);
	check("NMIs came", hostile_seen[0].nmis != before, true);
	hostile_all_answer(1);
}

/* The last one is started all the time, while all the others flush and run L2s. */
static void storm_together(void)
{
	if (!tap_group("hostile", "storm-all") || too_few(4))
		return;
	point("all at once");
	hostile_restart_all();
	cpu_call(cpu_by_id(1), startups_of_the_last);
	cpu_call(cpu_by_id(2), flushes);
	run_under_storm();
	check("is alive", cpus_counts(&cpu_by_id(1)->alive), true);
	check("is alive", cpus_counts(&cpu_by_id(2)->alive), true);
	end_of_storm(1);
	hostile_all_answer(1);
}

/* NMIs one by one beside L0's own: none is lost and none is added. */
static void nmis_beside_kicks(void)
{
	uint32_t before;

	if (!tap_group("hostile", "nmi-kicks") || too_few(2))
		return;
	point("L0's kicks are no NMIs");
	hostile_restart_all();
	cpu_call(cpu_by_id(1), flushes);
	before = hostile_seen[0].nmis;
	for (unsigned int i = 0; i < 20; i++)
		cpus_pause();
	check("NMIs", hostile_seen[0].nmis - before, 0);

	point("no NMI is lost beside them");
	for (unsigned int i = 1; i <= sends; i++) {
		apic_send(0, ICR_NMI | ICR_ASSERT);
		if (cpus_wait_for(&hostile_seen[0].nmis, before + i) != before + i)
			break;
	}
	check("NMIs", hostile_seen[0].nmis - before, sends);
	end_of_storm(1);
	hostile_all_answer(1);
}

/* What a system does for each thread that has used the FPU. */
static void restores(struct cpu *cpu)
{
	static _Alignas(16) uint8_t state[512];

	__asm__ volatile("fninit; fxsave %0" : "=m"(state));
	while (!hostile_stop) {
		for (unsigned int i = 0; i < 100; i++)
			__asm__ volatile("fxrstor %0" : : "m"(state));
		cpu->alive++;
	}
}

/* On QEMU that writes to the first one's flags, which VMRUN and #VMEXIT there change, too. */
void hostile_fpu(uint32_t exits)
{
	bool by_l2 = cmdline_value("by");
	struct l2 *l2 = hostile_l2(0);
	uint32_t i = 0;

	point("the first processor has exits while the others restore their FPU's state");
	hostile_restart_all();
	for (unsigned int other = 1; other < hostile_count(); other++)
		cpu_call(cpu_by_id(other), restores);
	for (; i < exits && (!by_l2 || hostile_run_l2(l2, 10)); i++)
		cpuid(0, 0);
	check("exits", i, exits);
	end_of_storm(1);
	hostile_all_answer(1);
}

void hostile_storms(void)
{
	sends = cmdline_number("sends", SENDS);
	storm_from_here();
	storm_at_l2s();
	storm_from_there();
	storm_together();
	nmis_beside_kicks();
}
