/*
 * L1's own state and memory after a run: what #VMEXIT has to bring back, and what nothing that L1
 * asked for could have changed. Relies on guest.ld for where the image's constants are.
 */
#include "guest/chaos/chaos.h"

#define CONSTANTS ((const uint32_t *)0x100000)

extern char image_constant_end[];

struct table_register {
	uint16_t limit;
	uintptr_t base;
} __attribute__((packed));

static struct state {
	uintptr_t cr0, cr3, cr4;
	uint64_t efer;
	struct table_register gdtr, idtr;
	uint16_t cs, ss, ds, es, fs, gs, tr, ldtr;
} before;

static uint32_t sum_before;

static void read_state(struct state *state)
{
	memset(state, 0, sizeof(*state));
	state->cr0 = read_cr0();
	state->cr3 = read_cr3();
	state->cr4 = read_cr4();
	state->efer = rdmsr(MSR_EFER);
	__asm__ volatile("sgdt %0" : "=m"(state->gdtr));
	__asm__ volatile("sidt %0" : "=m"(state->idtr));
	__asm__ volatile("mov %%cs, %0" : "=rm"(state->cs));
	__asm__ volatile("mov %%ss, %0" : "=rm"(state->ss));
	__asm__ volatile("mov %%ds, %0" : "=rm"(state->ds));
	__asm__ volatile("mov %%es, %0" : "=rm"(state->es));
	__asm__ volatile("mov %%fs, %0" : "=rm"(state->fs));
	__asm__ volatile("mov %%gs, %0" : "=rm"(state->gs));
	__asm__ volatile("str %0" : "=rm"(state->tr));
	__asm__ volatile("sldt %0" : "=rm"(state->ldtr));
}

static uint32_t sum(void)
{
	const uint32_t *end = (const uint32_t *)(const void *)image_constant_end;
	uint32_t sum = 0;

	for (const uint32_t *word = CONSTANTS; word < end; word++)
		sum = (sum << 1 | sum >> 31) + *word;
	return sum;
}

void intact_init(void)
{
	read_state(&before);
	sum_before = sum();
}

bool intact_state(void)
{
	struct state now;

	read_state(&now);
	if (!memcmp(&now, &before, sizeof(now)))
		return true;
	say("# cr0 %llx cr3 %llx cr4 %llx efer %llx gdtr %llx idtr %llx cs %x ss %x ds %x tr %x\n",
	    (unsigned long long)now.cr0, (unsigned long long)now.cr3, (unsigned long long)now.cr4,
	    (unsigned long long)now.efer, (unsigned long long)now.gdtr.base,
	    (unsigned long long)now.idtr.base, now.cs, now.ss, now.ds, now.tr);
	return false;
}

bool intact_memory(void)
{
	return sum() == sum_before;
}
