/*
 * The other processors. Relies on cpus_start.asm for the way from SIPI to cpus_main().
 */
#include "guest/lib/cpus.h"
#include "guest/lib/exception.h"
#include "guest/lib/machine.h"
#include "hv/delay.h"
#include "hv/string.h"

enum {
	LEAF_FEATURES = 1,
	ID_SHIFT = 24,               /* of its EBX */
	NMI_VECTOR_AT = VEC_NMI * 4, /* of real mode's table */
	EARLY_NMIS_AT = 0x5ffc,      /* as in cpus_start.asm */
	TRIES = 20,
	SIPIS_BARE = 10, /* for each INIT */

	INIT_MS = 10,    /* between INIT and SIPI, and until the next SIPI */
	FIRST_MS = 3000, /* on a busy host even the first of them may take long */
	MORE_MS = 200,   /* behind each that has come */
};

extern const char cpus_code[], cpus_nmi[], cpus_code_end[];
_Noreturn void cpus_main(uint32_t id);

/* What a processor loads on its way; cpus_start.asm reads them. */
uint32_t cpus_cr0, cpus_cr3, cpus_cr4, cpus_efer;

unsigned int cpus_polls = 20000000, cpus_pauses = 300000;

static struct cpu cpus[CPUS_MAX];
static struct svm_host hosts[CPUS_MAX];

struct cpu *cpu_by_id(uint32_t id)
{
	return &cpus[id];
}

struct cpu *cpu_self(void)
{
	return &cpus[cpuid(LEAF_FEATURES, 0).ebx >> ID_SHIFT];
}

void cpus_pause(void)
{
	for (unsigned int i = 0; i < cpus_pauses; i++)
		cpu_relax();
}

uint32_t cpus_wait_for(const volatile uint32_t *field, uint32_t value)
{
	for (unsigned int i = 0; i < cpus_polls && *field < value; i++)
		cpu_relax();
	return *field;
}

bool cpus_counts(const volatile uint32_t *counter)
{
	uint32_t before = *counter;

	for (unsigned int i = 0; i < cpus_polls && *counter == before; i++)
		cpu_relax();
	return *counter != before;
}

bool cpus_stands_still(const volatile uint32_t *counter)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		uint32_t before = *counter;

		cpus_pause();
		if (*counter == before)
			return true;
	}
	return false;
}

void cpus_send_init(uint32_t id, uint32_t shorthand)
{
	apic_send(id, ICR_INIT | ICR_ASSERT | shorthand);
}

void cpus_send_sipi(uint32_t id, uint32_t shorthand, uint32_t page)
{
	apic_send(id, ICR_STARTUP | shorthand | page >> PAGE_SHIFT);
}

static void begin(struct cpu *cpu)
{
	cpu->host = &hosts[cpu->id];
	svm_begin(cpu->host);
}

static void do_as_asked(struct cpu *cpu)
{
	void (*function)(struct cpu *) = cpu->function;

	if (function) /* not so if cpu_restart() is about to end this */
		function(cpu);
	cpu->done++;
}

/* Here a processor arrives, with IF=0. */
void cpus_main(uint32_t id)
{
	struct cpu *cpu = &cpus[id];

	exception_load();
	apic_init();
	begin(cpu);
	if (!cpu->function)
		cpu->done = cpu->asked;
	cpu->starts++;
	for (;;) {
		if (cpu->asked != cpu->done) {
			do_as_asked(cpu);
			continue;
		}
		cpu->alive++;
		cpu_relax();
	}
}

volatile uint32_t *cpus_init(void)
{
	volatile uint32_t *early_nmis = low_memory(EARLY_NMIS_AT);
	uint16_t *nmi = low_memory(NMI_VECTOR_AT);

	memcpy(low_memory(CPUS_PAGE), cpus_code, (size_t)(cpus_code_end - cpus_code));
	nmi[0] = (uint16_t)(cpus_nmi - cpus_code);
	nmi[1] = CPUS_PAGE >> 4;
	*early_nmis = 0;
	cpus_cr0 = (uint32_t)read_cr0();
	cpus_cr3 = (uint32_t)read_cr3();
	cpus_cr4 = (uint32_t)read_cr4();
	cpus_efer = (uint32_t)rdmsr(MSR_EFER) & ~(EFER_SVME | EFER_LMA);
	for (uint32_t id = 0; id < CPUS_MAX; id++)
		cpus[id].id = id;
	begin(cpu_self());
	return early_nmis;
}

static uint32_t starts_of_all(void)
{
	uint32_t starts = 0;

	for (uint32_t id = 0; id < CPUS_MAX; id++)
		starts += cpus[id].starts;
	return starts;
}

/* Waits until one more has come than so many times, or for so long. */
static bool one_more_comes(uint32_t starts, unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();

	while (starts_of_all() == starts) {
		if (rdtsc() - begin > ticks)
			return false;
		cpu_relax();
	}
	return true;
}

void cpus_find(void)
{
	uint32_t starts = starts_of_all();

	cpus_init();
	cpus_send_init(0, ICR_OTHERS);
	delay_ms(INIT_MS);
	cpus_send_sipi(0, ICR_OTHERS, CPUS_PAGE);
	if (!one_more_comes(starts, INIT_MS)) {
		cpus_send_sipi(0, ICR_OTHERS, CPUS_PAGE);
		if (!one_more_comes(starts, FIRST_MS))
			return;
	}
	do
		starts = starts_of_all();
	while (one_more_comes(starts, MORE_MS));
}

/*
 * GIF=0 holds an INIT back (APM vol. 2, section 15.17), and a SIPI before it is done is for
 * nothing: hence several, as the MultiProcessor Specification has it.
 */
static bool send_sipis(struct cpu *cpu, unsigned int most)
{
	uint32_t starts = cpu->starts;

	for (unsigned int i = 0; i < most && cpu->starts == starts; i++) {
		cpus_send_sipi(cpu->id, 0, CPUS_PAGE);
		for (unsigned int n = 0; n < cpus_pauses && cpu->starts == starts; n++)
			cpu_relax();
	}
	return cpu->starts != starts;
}

bool cpu_start(struct cpu *cpu)
{
	return send_sipis(cpu, cpus_polls / cpus_pauses);
}

/* QEMU forgets an INIT that comes while it performs another; Nestling must not. */
bool cpu_restart(struct cpu *cpu)
{
	bool bare = emulator_is(QEMU_BARE), started = false;
	unsigned int sipis = bare ? SIPIS_BARE : cpus_polls / cpus_pauses;

	for (unsigned int i = bare ? TRIES : 1; i && !started; i--) {
		cpus_send_init(cpu->id, 0);
		cpus_pause();
		cpu->function = NULL;
		started = send_sipis(cpu, sipis);
	}
	return started;
}

void cpu_call(struct cpu *cpu, void (*function)(struct cpu *))
{
	cpu->function = function;
	__atomic_store_n(&cpu->asked, cpu->asked + 1, __ATOMIC_RELEASE);
}

bool cpu_wait(const struct cpu *cpu)
{
	return cpus_wait_for(&cpu->done, cpu->asked) == cpu->asked;
}
