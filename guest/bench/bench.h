/*
 * The rows of the image `bench`: each is one operation, timed many times by the TSC. Under an
 * emulator that counts instructions (QEMU: -icount shift=0) a tick is an instruction, exactly.
 * Relies on guest/lib.
 */
#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

#include "guest/lib/guest.h"

/* Room for one sample of each page of so many tables. */
#define BENCH_TABLES  4u
#define BENCH_PAGES   512u /* of one table, in the formats with entries of 8 bytes */
#define BENCH_SAMPLES (BENCH_TABLES * BENCH_PAGES)

/* How often a row is timed: rounds= of the command line. */
extern unsigned int bench_rounds;

/* Opens a row, which is a point of that name; it ends with the next one or with bench_end(). */
void bench_row(const char *name);
void bench_sample(uint64_t ticks);
void bench_end(void);

/* A new L2 in protected mode without paging, that has run once. */
struct l2 *bench_l2(unsigned int slot);

/* Runs L2 once with the flush that L1 owes it after taking pages away: rows run without. */
void bench_forget(struct l2 *l2);

/* VMRUN alone, timed; GIF=0. */
uint64_t bench_run(struct l2 *l2);

/* Starts the snippet and times VMRUN until #VMEXIT, which must have this code. */
void bench_trip(struct l2 *l2, enum l2_snippet snippet, uint64_t exit_code);

void bench_l1(void);     /* instructions that L1 executes */
void bench_world(void);  /* world switches between L1 and L2 */
void bench_memory(void); /* nested faults, and changes that L1 makes in its nested tables */
void bench_flush(void);  /* flushes with many tables in use */

#endif
