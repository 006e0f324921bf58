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

enum {
	CR0,
	CR3,
	CR4,
	EFER,
	GDTR,
	GDTR_LIMIT,
	IDTR,
	IDTR_LIMIT,
	CS,
	SS,
	DS,
	ES,
	FS,
	GS,
	TR,
	LDTR,
	COUNT
};

static const char *const names[COUNT] = {
	"cr0", "cr3", "cr4", "efer", "gdtr", "its limit", "idtr", "its limit",
	"cs",  "ss",  "ds",  "es",   "fs",   "gs",        "tr",   "ldtr",
};

static uint64_t before[COUNT];
static uint32_t sum_before;

static void read_state(uint64_t state[COUNT])
{
	struct table_register table;
	uint16_t selectors[COUNT - CS];

	state[CR0] = read_cr0();
	state[CR3] = read_cr3();
	state[CR4] = read_cr4();
	state[EFER] = rdmsr(MSR_EFER);
	__asm__ volatile("sgdt %0" : "=m"(table));
	state[GDTR] = table.base;
	state[GDTR_LIMIT] = table.limit;
	__asm__ volatile("sidt %0" : "=m"(table));
	state[IDTR] = table.base;
	state[IDTR_LIMIT] = table.limit;
	__asm__ volatile("mov %%cs, %0" : "=rm"(selectors[0]));
	__asm__ volatile("mov %%ss, %0" : "=rm"(selectors[SS - CS]));
	__asm__ volatile("mov %%ds, %0" : "=rm"(selectors[DS - CS]));
	__asm__ volatile("mov %%es, %0" : "=rm"(selectors[ES - CS]));
	__asm__ volatile("mov %%fs, %0" : "=rm"(selectors[FS - CS]));
	__asm__ volatile("mov %%gs, %0" : "=rm"(selectors[GS - CS]));
	__asm__ volatile("str %0" : "=rm"(selectors[TR - CS]));
	__asm__ volatile("sldt %0" : "=rm"(selectors[LDTR - CS]));
	for (unsigned int i = CS; i < COUNT; i++)
		state[i] = selectors[i - CS];
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
	read_state(before);
	sum_before = sum();
}

bool intact_state(void)
{
	uint64_t now[COUNT];
	bool same = true;

	read_state(now);
	for (unsigned int i = 0; i < COUNT; i++) {
		if (now[i] == before[i])
			continue;
		same = false;
		say("# %s: 0x%llx, before 0x%llx\n", names[i], (unsigned long long)now[i],
		    (unsigned long long)before[i]);
	}
	return same;
}

bool intact_memory(void)
{
	return sum() == sum_before;
}
