/*
 * L1's other processors, which run C as the first one does: same tables, same IDT, stacks and SVM
 * of their own. For machines whose APIC ids go up from 0; the command line's cpus= says how many
 * there are. Relies on processor.asm.
 */
#ifndef GUEST_PROCESSORS_H
#define GUEST_PROCESSORS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PROCESSORS = 8,
	PROCESSOR_STACK = 1 << 14,
	PROCESSOR_PAGE = 0x6000,
	PROCESSOR_EARLY_NMIS = 0x5000, /* counted there, in real mode */

	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_ASSERT = 1 << 14,
	ICR_ALL = 2 << 18,
	ICR_ALL_BUT_SELF = 3 << 18,
};

/* Written by that processor, but for what says otherwise. */
struct processor {
	uint32_t starts;     /* by SIPI */
	uint32_t alive;      /* goes up while it waits for a task, and where a task says so */
	uint32_t nmis;       /* that it has taken */
	uint32_t exceptions; /* others, while it has no try_call(): the last vector + 1 */
	uint32_t error_code;
	void (*task)(unsigned int number); /* another processor sets it; NULL again when done */
};

extern volatile struct processor processors[PROCESSORS];

/* As the command line says; 1 if it does not. */
unsigned int processor_count(void);

/* Prepares for processor_restart(); NMIs are counted from now on. */
void processors_init(void);

/* INIT, SIPI, and the wait until it runs. False: it does not. */
bool processor_restart(unsigned int number);

/* Does the processor count as alive? */
bool processor_is_alive(unsigned int number);

/* Gives it a task; has it to, waits until it is done, but not for ever: false. */
void processor_begin(unsigned int number, void (*task)(unsigned int number));
bool processor_does(unsigned int number, void (*task)(unsigned int number));

/* Waits until the field is at least this; returns what it is in the end. */
uint32_t wait_until(const volatile uint32_t *field, uint32_t value);

/* Long enough for what must not happen. */
void wait_a_while(void);

/* The number of the processor that asks. */
unsigned int this_processor(void);

#endif
