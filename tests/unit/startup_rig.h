/*
 * A processor, the second of two, to which INIT, SIPI, NMI and SMI come; the world switch is not
 * there. Relies on cmocka.
 */
#ifndef TESTS_UNIT_STARTUP_RIG_H
#define TESTS_UNIT_STARTUP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/stack.h"
#include "svm/cpus/processors.h"
#include "svm/event/event.h"
#include "svm/event/priority.h"
#include "svm/exit.h"
#include "svm/start/startup.h"
#include "svm/vcpu.h"

/* The one that is looked at, and the other one. base is of who runs: of vcpu at first. */
extern struct vcpu vcpu, first;
extern struct vmcb vmcb01, vmcb02;
extern struct stack_base base;

extern unsigned int pending_nmis, pending_inits; /* that the next window takes */
extern unsigned int sent, sent_smis;             /* NMIs and SMIs, to any processor */
extern unsigned int holds;                       /* calls of quirk_hold_interrupts() */
extern unsigned int inits;                       /* that were taken */
extern int exception;                            /* that was raised; -1 */
extern uint64_t exit_code;                       /* of the #VMEXIT that L1 got; 0 */
extern unsigned int (*while_waiting)(void);      /* NMIs that come; 0: none ever will */

/* A processor may be interrupted, so to say, where it looks at the time: by what another does. */
extern uint64_t tsc;
extern void (*meanwhile)(void);

/* For cmocka: two processors, and vcpu runs L1 with GIF=1. */
int rig_setup(void **state);

/* What vcpu does before its guest runs. 0: that may run; else how it ended. */
enum { RESET = 1, WAITS };
int attend(void);

/* L2 runs, and L1 intercepts this. */
void run_l2(uint32_t intercepts);

/* The event has been injected, and the NMI that L0 sent itself ends the guest. */
void exits_after_event(void);

/* vcpu is the boot processor; there are none yet; an NMI has been found in what is wanted. */
void rig_vcpu_is_first(void);
void rig_no_processors(void);
void rig_attend_nmi(uint32_t startup);

#endif
