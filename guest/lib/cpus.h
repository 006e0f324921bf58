/*
 * The other processors: INIT and SIPI to them, and C that they run in L1's mode, on L1's tables and
 * a stack of their own. For APIC ids from 0 to CPUS_MAX - 1. Relies on apic.h and svm.h.
 */
#ifndef GUEST_CPUS_H
#define GUEST_CPUS_H

#include "guest/lib/apic.h"
#include "guest/lib/svm.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CPUS_MAX = 8,
	CPUS_PAGE = 0x6000, /* where they start */
};

struct cpu {
	uint32_t id; /* of its APIC */
	struct svm_host *host;
	void (*volatile function)(struct cpu *); /* what it was asked for last */
	volatile uint32_t asked, done; /* how often it was asked, and how often it has done it */
	volatile uint32_t starts;      /* how often it came to L1's C code */
	volatile uint32_t
		alive; /* goes up while it waits for cpu_call(), and where a function says so */
};

/*
 * How often to look until what must happen counts as missing, and until what must not happen would
 * have. An image may change both.
 */
extern unsigned int cpus_polls, cpus_pauses;

/* The processor that the caller runs on, whatever its APIC is in; by APIC id. */
struct cpu *cpu_self(void);
struct cpu *cpu_by_id(uint32_t id);

/* Makes an address below 1 MiB, behind the compiler's back: it takes such for mistakes. */
static inline void *low_memory(uintptr_t address)
{
	__asm__("" : "+r"(address));
	return (void *)address;
}

/* Waits for what must not happen. */
void cpus_pause(void);

/* Waits until the field is at least that, and returns what it is in the end: it may be less. */
uint32_t cpus_wait_for(const volatile uint32_t *field, uint32_t value);

/* Does the counter change? Does it cease to, be it after a time? */
bool cpus_counts(const volatile uint32_t *counter);
bool cpus_stands_still(const volatile uint32_t *counter);

/* To one processor, or with id 0 and shorthand ICR_OTHERS to all but oneself. */
void cpus_send_init(uint32_t id, uint32_t shorthand);
void cpus_send_sipi(uint32_t id, uint32_t shorthand, uint32_t page);

/*
 * Prepares for all below. Returns the number of NMIs that processors have taken in real mode, which
 * are counted from now on.
 */
volatile uint32_t *cpus_init(void);

/*
 * Starts all others; each then waits for cpu_call(). Nobody says how many there are: it ends when
 * none has come for a time. Does what cpus_init() does.
 */
void cpus_find(void);

/*
 * SIPIs until the processor comes, which has got an INIT; it then does over again what it had not
 * done yet. False if it does not come.
 */
bool cpu_start(struct cpu *cpu);

/* INIT and cpu_start(); what it was asked for is forgotten. */
bool cpu_restart(struct cpu *cpu);

/* Asks for function(cpu) there; waits until that is done: false if it is not. */
void cpu_call(struct cpu *cpu, void (*function)(struct cpu *));
bool cpu_wait(const struct cpu *cpu);

#endif
