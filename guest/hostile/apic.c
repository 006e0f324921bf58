/*
 * APIC_BASE written by who should not, and stores to the APIC's page by odd instructions.
 */
#include "guest/hostile/hostile.h"

enum { APIC_ESR = 0x280, APIC_TIMER_INITIAL = 0x380 };

static void apic_off(struct cpu *cpu)
{
	(void)cpu;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_ENABLE);
}

static void apic_away(struct cpu *cpu)
{
	uint64_t to = (apic_base() + (uint64_t)PAGE_SIZE * (cpu->id + 1)) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, to | (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP));
}

static void try_apic_away(void *cpu)
{
	apic_away(cpu);
}

static void apic_back(struct cpu *cpu)
{
	uint64_t offset = (uint64_t)PAGE_SIZE * (cpu->id + 1);

	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) - offset);
}

static void moves(void)
{
	if (!tap_group("hostile", "apic-moved"))
		return;
	point("every processor moves its APIC's page and back");
	hostile_restart_all();
	for (unsigned int i = 1; i < hostile_count(); i++) {
		check("has done it", hostile_does(i, apic_away), true);
		check("has done it", hostile_does(i, apic_back), true);
	}
	if (try_call(try_apic_away, cpu_self()) < 0)
		apic_back(cpu_self());
	check("the page is where it was", apic_base(), 0xfee00000);
	hostile_all_answer(1);
}

/* What cannot be undone on QEMU, so it comes last. */
static void off(void)
{
	if (!tap_group("hostile", "apic-off"))
		return;
	point("another processor turns its APIC off");
	if (hostile_count() < 2) {
		point_skip("there is one processor");
		point_end();
		return;
	}
	hostile_restart_all();
	check("has done it", hostile_does(1, apic_off), true);
	check("is alive", cpus_counts(&cpu_by_id(1)->alive), true);
	for (unsigned int i = 0; i < 20; i++)
		hostile_flush();
	check("is alive", cpus_counts(&cpu_by_id(1)->alive), true);
	for (unsigned int i = 2; i < hostile_count(); i++)
		check("starts", cpu_restart(cpu_by_id(i)), true);
	point_end();
}

void hostile_apic(void)
{
	moves();
	off();
}
