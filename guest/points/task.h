/*
 * Hardware task switches of a 32-bit L1: a GDT of the test's own, two task state segments, and what
 * the other task saw. Relies on guest/lib/task_code.asm; APM vol. 2, chapter 12.
 */
#ifndef GUEST_POINTS_TASK_H
#define GUEST_POINTS_TASK_H

#include "guest/points/points.h"

/* Behind L1's own selectors. */
enum {
	TASK_MAIN = 0x48,
	TASK_OTHER = 0x50,
	TASK_GATE = 0x58, /* leads to TASK_OTHER */
	TASK_16 = 0x60,
	TASK_CODE_AWAY = 0x68, /* not present */
	TASK_LDT = 0x70,
	TASK_CODE16 = 0x78, /* 32-bit code, with its base at what runs on TASK_16 */
	TASK_FAULT = 0x80,  /* left to a test */
	TASK_GDT_BYTES = 0x88,
	TASK_LDT_DATA = 0x04, /* in the LDT */
};

enum {
	TYPE_TSS_16 = 1,
	TYPE_LDT = 2,
	TYPE_TASK_GATE = 5,
	TYPE_TSS_AVAILABLE = 9,
	TYPE_TSS_BUSY = 11,
};

#define FLAG_RF (1u << 16)

/* An address that only the other task's tables map, and to where. */
#define TASK_ALIAS 0x80000000u

struct task_tss {
	uint32_t link, esp0, ss0, stacks[4];
	uint32_t cr3, eip, eflags;
	uint32_t gpr[8]; /* as instructions number them */
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iopb;
};
_Static_assert(sizeof(struct task_tss) == 104, "TSS");

extern struct task_tss task_main, task_other;
extern uint64_t task_gdt[TASK_GDT_BYTES / 8];

/* What the other task found when it started, and how often it did. */
struct task_seen {
	unsigned int count;
	uint32_t tr, ldtr, cr3, flags, cr0, alias, pushed, dr7;
	uint32_t link, main_type, other_type, main_eip, main_eflags;
};
extern struct task_seen task_seen;

/* How it goes back: by JMP instead of IRET; where main goes on if not where it was. */
extern bool task_jumps;
extern uint32_t task_resume_at;
/* Called in it. */
extern void (*task_also)(void);

/* A fresh start: both segments, their descriptors, TR. */
void task_prepare(void);

/* Far transfers to a selector; the latter under try_call(). */
void task_jmp(uint16_t selector);
void task_call(uint16_t selector);
int task_try_jmp(uint16_t selector);

uint32_t task_type(uint16_t selector);
uint16_t task_register(void);

/* The vector leads to TASK_OTHER by a task gate, or to L1's handler as before. */
void task_gate(unsigned int vector, bool on);

/* Main runs again, and no task runs nested: after a fault that ended in the other task. */
void task_end(void);

/* L1's own GDT again, after the last point. TR keeps main. */
void task_leave(void);

/* Groups of points; each is a file. */
void task_faults(void);
void task_levels(void); /* from and to CPL 3 */

#endif
