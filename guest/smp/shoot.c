/*
 * Flushes of L1's own paging, as an operating system does them: by INVLPG or CR3 here, and by an
 * interrupt that asks the others to do it and acknowledge. Faults of probes. Relies on smp.h.
 */
#include "guest/smp/smp.h"

extern const char probe_begin[], probe_end[], probe_fault[];

static volatile uint64_t shot; /* what the others are asked to flush */

struct tester *tester_self(void)
{
	const struct cpu *self = cpu_self();
	unsigned int i = 0;

	while (testers[i].cpu != self)
		i++;
	return &testers[i];
}

void shoot_own(struct tester *tester, uint64_t what)
{
	uint32_t version = __atomic_load_n(&scene.finished, __ATOMIC_SEQ_CST);

	if (what == SHOOT_ALL)
		write_cr3(read_cr3());
	else
		__asm__ volatile("invlpg (%0)" : : "r"((uintptr_t)what) : "memory");
	for (unsigned int page = 0; page < PAGES; page++) {
		if (what == SHOOT_ALL || what == scene_address(page))
			tester->seen_page[page] = version;
	}
	tester->acked = version;
}

bool shoot_others(struct tester *tester, uint64_t what)
{
	uint32_t version = scene.finished;

	shot = what;
	for (unsigned int i = 0; i < tester_count; i++) {
		if (&testers[i] != tester && !testers[i].out && !testers[i].held)
			apic_send(testers[i].cpu->id, SHOOT_VECTOR);
	}
	for (unsigned int i = 0; i < tester_count; i++) {
		if (&testers[i] != tester && !testers[i].out && !testers[i].held &&
		    cpus_wait_for(&testers[i].acked, version) < version)
			return fail(&testers[i], "no answer to the interrupt that asks for a flush",
			            NULL);
	}
	return true;
}

static bool handle(struct trap_frame *frame)
{
	uintptr_t ip = (uintptr_t)frame->ip;

	if (frame->vector == VEC_PF && ip >= (uintptr_t)probe_begin && ip < (uintptr_t)probe_end) {
		tester_self()->probe_error = (uint32_t)frame->error;
		frame->ip = (uintptr_t)probe_fault;
		return true;
	}
	if (frame->vector != SHOOT_VECTOR && frame->vector != POKE_VECTOR)
		return false;
	if (frame->vector == SHOOT_VECTOR)
		shoot_own(tester_self(), shot);
	tester_self()->interrupts++;
	apic_eoi((uint8_t)frame->vector);
	return true;
}

void shoot_init(void)
{
	trap_handler = handle;
}
