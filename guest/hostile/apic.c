/*
 * APIC_BASE written by who should not, and stores to the APIC's page by odd instructions.
 */
#include "guest/hostile/hostile.h"

enum { APIC_ESR = 0x280, APIC_TIMER_INITIAL = 0x380 };

static void apic_off(unsigned int number)
{
	(void)number;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_ENABLE);
}

static void apic_away(unsigned int number)
{
	uint64_t to = (apic_base() + (uint64_t)PAGE_SIZE * (number + 1)) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, to | (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP));
}

static void try_apic_away(void *number)
{
	apic_away(*(const unsigned int *)number);
}

static void apic_back(unsigned int number)
{
	uint64_t offset = (uint64_t)PAGE_SIZE * (number + 1);

	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) - offset);
}

static void moves(void)
{
	unsigned int zero = 0;

	if (!tap_group("hostile", "apic-moved"))
		return;
	point("every processor moves its APIC's page and back");
	hostile_restart_all();
	for (unsigned int i = 1; i < processor_count(); i++) {
		check("has done it", processor_does(i, apic_away), true);
		check("has done it", processor_does(i, apic_back), true);
	}
	if (try_call(try_apic_away, &zero) < 0)
		apic_back(0);
	check("the page is where it was", apic_base(), 0xfee00000);
	hostile_all_answer(1);
}

/* What cannot be undone on QEMU, so it comes last. */
static void off(void)
{
	if (!tap_group("hostile", "apic-off"))
		return;
	point("another processor turns its APIC off");
	if (processor_count() < 2) {
		point_skip("there is one processor");
		point_end();
		return;
	}
	hostile_restart_all();
	check("has done it", processor_does(1, apic_off), true);
	check("is alive", processor_is_alive(1), true);
	for (unsigned int i = 0; i < 20; i++)
		hostile_flush();
	check("is alive", processor_is_alive(1), true);
	for (unsigned int i = 2; i < processor_count(); i++)
		check("starts", processor_restart(i), true);
	point_end();
}

void hostile_apic(void)
{
	moves();
	off();
}
