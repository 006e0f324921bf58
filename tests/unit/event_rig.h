/*
 * A processor whose exits leave something behind, on the host: svm/settle.c, svm/event/priority.c
 * and svm/event/event.c, with the rest of L0 noting what it is asked. Relies on cmocka.
 */
#ifndef TESTS_UNIT_EVENT_RIG_H
#define TESTS_UNIT_EVENT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/event/priority.h"
#include "svm/vcpu.h"

#define EXCEPTION(vector) ((vector) | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID)
#define WITH_CODE(vector, code)                                                                    \
	(EXCEPTION(vector) | EVENT_ERROR_VALID | (uint64_t)(code) << EVENT_ERROR_SHIFT)
#define EVENT_OF_NMI (VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID)
#define NO_EXIT      (~0ull)
#define NO_CR2       0x5a5aull

extern struct vcpu vcpu;
extern struct vmcb vmcb01, vmcb02;

/* What L0 did since begin(). */
extern struct outcome exited;    /* to L1; code NO_EXIT */
extern uint64_t exited_int_info; /* ... which L1 finds then */
extern uint64_t loaded_cr2;      /* NO_CR2 */
extern unsigned int inits;       /* of this processor */
extern unsigned int ended_early; /* guests, to look behind an event */
extern unsigned int watched;     /* IRETs */
extern bool resets;              /* of the machine */

/* Has an IRET left the handler of an NMI without an exit? */
extern bool unseen;

/* L1 runs, in protected mode, with GIF=1. */
void begin(void);

/* L2 runs, of which L1 intercepts what has these codes; 0, a read of CR0, is for none. */
void begin_l2(uint64_t code, uint64_t other);

/* The exit is handled: all that is due is settled. */
void settled(void);

/* The processor has injected it, and exited. */
void goes_on(void);

void assert_event(uint64_t event);

#endif
