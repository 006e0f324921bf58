/*
 * The other processors: INIT and SIPI to them, and C that they run in L1's mode, on L1's tables and
 * a stack of their own. For APIC ids from 0 to CPUS_MAX - 1. Relies on apic.h and svm.h.
 */
#ifndef GUEST_CPUS_H
#define GUEST_CPUS_H

#include "guest/lib/svm.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CPUS_MAX = 8,
	CPUS_POLLS = 20000000, /* until what must happen counts as missing */
	CPUS_PAUSES = 300000,  /* until what must not happen would have */
	CPUS_PAGE = 0x6000,    /* where cpus_find() has them start */
};

struct cpu {
	uint32_t id; /* of its APIC */
	struct svm_host *host;
	void (*function)(struct cpu *); /* what it was asked for last */
	volatile uint32_t asked, done;  /* how often it was asked, and how often it has done it */
	volatile uint32_t starts;       /* how often it came to L1's C code */
};

/* The processor that the caller runs on; by APIC id. */
struct cpu *cpu_self(void);
struct cpu *cpu_by_id(uint32_t id);

/* Makes an address below 1 MiB, behind the compiler's back: it takes such for mistakes. */
static inline void *low_memory(uintptr_t address)
{
	__asm__("" : "+r"(address));
	return (void *)address;
}

void cpus_pause(void);

/* Waits until the field is at least that; false if it does not come to it. */
bool cpus_wait_for(const volatile uint32_t *field, uint32_t value);

/* To one processor, or with id 0 and shorthand CPUS_OTHERS to all but oneself. */
#define CPUS_OTHERS (3u << 18)
void cpus_send_init(uint32_t id, uint32_t shorthand);
void cpus_send_sipi(uint32_t id, uint32_t shorthand, uint32_t page);

/*
 * Starts all others; each then waits for cpu_call(). After an INIT of one, cpu_start() starts it
 * again: it then does over again what it had not done yet. False if it does not come.
 */
void cpus_find(void);
bool cpu_start(struct cpu *cpu);

/* Asks for function(cpu) there; waits until that is done: false if it is not. */
void cpu_call(struct cpu *cpu, void (*function)(struct cpu *));
bool cpu_wait(const struct cpu *cpu);

#endif
