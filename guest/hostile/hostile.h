/*
 * What the L1 image `hostile` does to its machine, in parts. Relies on guest/lib/cpus.h.
 */
#ifndef GUEST_HOSTILE_H
#define GUEST_HOSTILE_H

#include "guest/lib/guest.h"
#include "guest/lib/cpus.h"

/* Ends the machine in the way of this name (end.c); comes back if it did not. */
void hostile_end(const char *name);

/* Groups of points. Each ends with hostile_all_answer(). */
void hostile_init(void);      /* INIT held back, intercepted, redirected; NMI while waiting */
void hostile_messages(void);  /* INIT that no ICR sends */
void hostile_storms(void);    /* INIT, SIPI and NMI, again and again */
void hostile_apic(void);      /* APIC_BASE, stores to the APIC that nobody expects */
void hostile_loops(void);     /* deliveries that never end */
void hostile_memory(void);    /* INVD */
void hostile_types(void);     /* MTRRs, and registers that move memory */
void hostile_smi(void);       /* SMIs by port B2 */
void hostile_variables(void); /* that firmware stores through SMM */
void hostile_sleep(void);     /* S3 */
void hostile_dma(void);       /* DMA to a hypervisor's memory */
void hostile_a20(void);       /* address bit 20 is masked */

/*
 * The rest of the group: every processor starts anew and takes one NMI, L0 does what reaches them
 * all, and L2s run. After first, processors below it are left alone (1: none is).
 */
void hostile_all_answer(unsigned int first);

/* So many exits of the first processor's, of L1 or with by=l2 of an L2; the others do FXRSTOR. */
void hostile_fpu(uint32_t exits);

/* How many processors there are, as the command line says. */
unsigned int hostile_count(void);

/* Has one of them do something, which it does to the end: true. */
bool hostile_does(unsigned int number, void (*function)(struct cpu *));

/* What each processor gets while it has no try_call(); NMIs in real mode are counted for all. */
struct seen {
	uint32_t nmis;
	uint32_t exceptions; /* others: the last vector + 1 */
	uint32_t error_code;
};
extern volatile struct seen hostile_seen[CPUS_MAX];
extern volatile uint32_t *hostile_early_nmis;

/* Makes the other processors start anew, as a point's first check. */
bool hostile_restart_all(void);

/* An L2 that computes, in the slot of the processor; for a run of hostile_run_l2() there. */
struct l2 *hostile_l2(unsigned int number);
bool hostile_run_l2(struct l2 *l2, uint32_t rounds);

/* For cpu_call(): L2s until told to stop; each one is counted as a sign of life. */
void hostile_l2s(struct cpu *cpu);
extern volatile bool hostile_stop;

/* How many SMIs this processor took; 0 where nobody counts. */
uint32_t hostile_smis(void);

/*
 * Before an INIT: bare, QEMU performs one amid SMM, and firmware's handler stays as that processor
 * left it. Waits there until each, which waits for cpu_call(), is out of it.
 */
void hostile_leave_smm(void);

/* What makes L0 ask every other processor to leave its guest. */
void hostile_flush(void);

#endif
