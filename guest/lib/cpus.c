/*
 * The other processors. Relies on cpus_start.asm for the way from SIPI to cpus_main().
 */
#include "guest/lib/cpus.h"
#include "guest/lib/apic.h"
#include "guest/lib/exception.h"
#include "hv/string.h"

enum {
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_ASSERT = 1 << 14,
};

extern const char cpus_code[], cpus_code_end[];
_Noreturn void cpus_main(uint32_t id);

/* What a processor loads on its way; cpus_start.asm reads them. */
uint32_t cpus_cr0, cpus_cr3, cpus_cr4, cpus_efer;

static struct cpu cpus[CPUS_MAX];
static struct svm_host hosts[CPUS_MAX];

struct cpu *cpu_by_id(uint32_t id)
{
	return &cpus[id];
}

struct cpu *cpu_self(void)
{
	return &cpus[apic_id()];
}

void cpus_pause(void)
{
	for (unsigned int i = 0; i < CPUS_PAUSES; i++)
		cpu_relax();
}

bool cpus_wait_for(const volatile uint32_t *field, uint32_t value)
{
	for (unsigned int i = 0; i < CPUS_POLLS && *field < value; i++)
		cpu_relax();
	return *field >= value;
}

void cpus_send_init(uint32_t id, uint32_t shorthand)
{
	apic_send(id, ICR_INIT | ICR_ASSERT | shorthand);
}

void cpus_send_sipi(uint32_t id, uint32_t shorthand, uint32_t page)
{
	apic_send(id, ICR_STARTUP | shorthand | page >> PAGE_SHIFT);
}

static void begin(struct cpu *cpu, uint32_t id)
{
	cpu->id = id;
	cpu->host = &hosts[id];
	svm_begin(cpu->host);
}

/* Here a processor arrives, with IF=0. */
void cpus_main(uint32_t id)
{
	struct cpu *cpu = &cpus[id];

	exception_load();
	apic_init();
	begin(cpu, id);
	cpu->starts++;
	for (;;) {
		if (cpu->asked == cpu->done) {
			cpu_relax();
			continue;
		}
		cpu->function(cpu);
		cpu->done++;
	}
}

void cpus_find(void)
{
	memcpy(low_memory(CPUS_PAGE), cpus_code, (size_t)(cpus_code_end - cpus_code));
	cpus_cr0 = (uint32_t)read_cr0();
	cpus_cr3 = (uint32_t)read_cr3();
	cpus_cr4 = (uint32_t)read_cr4();
	cpus_efer = (uint32_t)rdmsr(MSR_EFER) & ~(EFER_SVME | EFER_LMA);
	begin(cpu_self(), apic_id());
	cpus_send_init(0, CPUS_OTHERS);
	cpus_pause();
	cpus_send_sipi(0, CPUS_OTHERS, CPUS_PAGE);
	cpus_pause();
}

/*
 * GIF=0 holds an INIT back (APM vol. 2, section 15.17), and a SIPI before it is done is for
 * nothing: hence several, as the MultiProcessor Specification has it.
 */
bool cpu_start(struct cpu *cpu)
{
	uint32_t starts = cpu->starts;
	bool started = false;

	for (unsigned int i = 0; i < CPUS_POLLS / CPUS_PAUSES && !started; i++) {
		cpus_send_sipi(cpu->id, 0, CPUS_PAGE);
		for (unsigned int n = 0; n < CPUS_PAUSES && !started; n++) {
			cpu_relax();
			started = cpu->starts != starts;
		}
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
	return cpus_wait_for(&cpu->done, cpu->asked);
}
