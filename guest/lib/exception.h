/*
 * L1's IDT. An exception that nobody expects is printed and ends the run as failed; a test that
 * expects one runs its code under try_call(). Interrupts are counted and acknowledged. Relies on
 * vectors.asm.
 */
#ifndef GUEST_EXCEPTION_H
#define GUEST_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

#define VECTORS 256

/* As the stubs in vectors.asm push it. */
struct trap_frame {
#ifdef __x86_64__
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t di, si, bp, bx, dx, cx, ax;
	uint64_t vector, error;
	uint64_t ip, cs, flags, sp, ss;
#else
	uint32_t di, si, bp, unused_sp, bx, dx, cx, ax;
	uint32_t vector, error;
	uint32_t ip, cs, flags;
#endif
};

/* What the last exception under try_call() brought. */
struct trap_record {
	uint32_t vector;
	uint64_t error, ip, cr2, ax, sp;
};

extern struct trap_record trap_last;

/*
 * How often each vector from 32 on came as an interrupt; NMIs are counted likewise where a test
 * sets nmi_handler, which then runs within the NMI's handler.
 */
extern volatile unsigned int interrupt_count[VECTORS];
extern void (*nmi_handler)(void);

/*
 * Sees an exception before anything else is done about it, and says whether execution goes on where
 * the frame points.
 */
extern bool (*trap_handler)(struct trap_frame *frame);

/* By this interrupt, or by UD2, code at CPL 3 ends its run; the gate lets it. */
#define USER_RETURN_VECTOR 0x81

/* Fills the IDT; and loads it, as every processor has to. */
void exception_init(void);
void exception_load(void);

/*
 * Calls f(argument). Returns -1 when it returns, or the vector of the exception that ended it;
 * trap_last then tells more. f may leave for CPL 3 (user.h): -1 then means UD2 or
 * USER_RETURN_VECTOR. IF is as it was at the exception, GIF as well. Does not nest.
 */
int try_call(void (*f)(void *), void *argument);

#endif
