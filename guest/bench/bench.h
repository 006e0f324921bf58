/*
 * The rows of the image `bench`: each is one operation, timed many times by the TSC. Under an
 * emulator that counts instructions (QEMU: -icount shift=0) a tick is an instruction, exactly. The
 * image `hardware` has the same rows with BENCH_CYCLES: between fences, for a processor that runs
 * many instructions at once. Relies on guest/lib.
 */
#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

#include "guest/lib/guest.h"

/* Room for one sample of each page of so many tables. */
#define BENCH_TABLES  4u
#define BENCH_PAGES   512u /* of one table, in the formats with entries of 8 bytes */
#define BENCH_SAMPLES (BENCH_TABLES * BENCH_PAGES)

#ifdef BENCH_CYCLES
#define BENCH_LINE "# cycles: %s: min %llu, median %llu\n"
/* More than anything takes; an emulator's machine may stand still for a second meanwhile. */
#define BENCH_IMPLAUSIBLE 1000000000000ull
#define BENCH_L2_CPUID    L2_FENCED_CPUID
#define BENCH_L2_READ     L2_FENCED_READ
#define BENCH_L2_WRITE    L2_FENCED_WRITE

/* What came before is done, and what comes behind has not begun: older processors need MFENCE. */
static inline uint64_t bench_time(void)
{
	__asm__ volatile("mfence; lfence" : : : "memory");
	return rdtsc();
}
#else
#define BENCH_LINE        "# bench %s: min %llu med %llu\n" /* tests/bench/run reads it */
#define BENCH_IMPLAUSIBLE 100000000ull /* more instructions than anything takes */
#define BENCH_L2_CPUID    L2_TIME_CPUID
#define BENCH_L2_READ     L2_TIME_READ
#define BENCH_L2_WRITE    L2_TIME_WRITE

static inline uint64_t bench_time(void)
{
	return rdtsc();
}
#endif

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
