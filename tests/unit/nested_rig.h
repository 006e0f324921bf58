/*
 * A processor of L1's that runs nested guests, on the host: VMCB01, VMCB02, L1's memory with VMCB12
 * and its maps, a world switch that exits as the test says, and the rest of L0 noting what it is
 * asked. Relies on cmocka.
 */
#ifndef TESTS_UNIT_NESTED_RIG_H
#define TESTS_UNIT_NESTED_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/emulate/intercepts.h"
#include "svm/nested/nested.h"
#include "tests/unit/fake_cpuid.h"

enum {
	RAM = 0x100000, /* gpa of L1's memory */
	RAM_PAGES = 16,
	VMCB12 = RAM,
	IOPM12 = RAM + 0x2000,
	OTHER_IOPM12 = RAM + 0x5000,
	MSRPM12 = RAM + 0x8000,
	OTHER_MSRPM12 = RAM + 0xa000,
	NCR3 = RAM + 0xe000,
};

/* hpas of L0's. */
enum {
	VMCB01_HPA = 0x1000,
	VMCB02_HPA = 0x2000, /* of VMCB12's; the others' are the next pages */
	IOPM01_HPA = 0x10000,
	ALL_ONES_HPA = 0x14000,
	MSRPM01_HPA = 0x18000,
	MERGED_IOPM_HPA = 0x20000,  /* and each next one 0x3000 on */
	MERGED_MSRPM_HPA = 0x30000, /* and each next one 0x2000 on */
	NPT01_HPA = 0x40000,
	NPT02_HPA = 0x50000,
	SINK_HPA = 0x60000,
};

/* All SVM features that a processor can tell of. */
#define ALL_FEATURES 0xffffffffu
enum { ASIDS = 64, PHYS_BITS = 40 };

extern struct vcpu vcpu;
extern struct vmcb vmcb01, vmcb02;
extern uint8_t ram[RAM_PAGES * PAGE_SIZE];
extern struct vmcb *const vmcb12; /* in ram */
extern uint64_t msrpm01[MSRPM_SIZE / sizeof(uint64_t)];
extern uint64_t merged_msrpms[MERGED_MSRPMS][MSRPM_SIZE / sizeof(uint64_t)];
extern uint64_t merged_iopms[IOPMS][IOPM_SIZE / sizeof(uint64_t)];

/* What L0 did since machine(). */
struct noted {
	unsigned int flushes_of_all, flushes_of_asid;
	uint32_t flushed_asid;
	unsigned int roots;         /* asked of mmu/ */
	struct guest_tables tables; /* ... the last one */
	uint32_t root_asid;
	unsigned int flushes_before_root;
	uint64_t same_root;      /* what mmu/ says of the root in use; 0: it will not do */
	unsigned int same_roots; /* ... how often it was not 0 */
	unsigned int written;    /* notes of writes to L1's memory */
	uint64_t written_at;
	unsigned int ended_early; /* guests, to look behind an event */
	unsigned int untrained;   /* world switches that leave nothing of the guest's predictions */
	uint64_t handled;         /* exit that L0's handler got; NOBODY */
};

#define NOBODY (~1ull)
extern struct noted noted;

/* The processor's own. */
extern uint64_t cr2;
extern unsigned long cr8;
extern uint32_t apic_registers[]; /* the page at APIC_HPA */
#define APIC_HPA 0xfee00000ull

/* What the next windows of GIF=1 bring besides an NMI. */
extern unsigned int machine_checks_in_window;

/* Frames of ram as mmu/ watches them for L0; written: since L0 looked. */
struct frame {
	bool watched, written, open;
	bool unmarked; /* D does not tell of all writes */
};

extern struct frame frames[RAM_PAGES];
unsigned int frames_watched(void);

/* L1's processor sets D in NPT01 where the test has written. */
void mark_frames(void);

/* At the world switch: what the processor got, and what else it writes before it exits. */
extern struct vmcb entered;
extern void (*processor_runs)(struct vmcb *vmcb);

/* After run(): the line of a panic or of a reset of the machine; "" if there was none. */
extern char panicked[256];

/*
 * A machine with these SVM features, of which L1 is shown all that L0 can offer (svm=all) or what
 * has been tried only; with L1 in 64-bit mode and a VMCB12 that passes all checks.
 */
void machine(uint32_t svm, bool untried);

/* Makes a VMCB12 that passes all checks, without nested paging. */
void good_vmcb12(void);

/* L1's VMRUN of the VMCB there. */
void vmrun_of(uint64_t gpa);

/* L1's VMRUN of VMCB12. Returns whether L2 is about to run. */
bool vmrun(void);

/* The processor runs L2, which exits so; L0 goes on until a guest is about to run again. */
void l2_exits(uint64_t code, uint64_t info1, uint64_t info2);

/* Both, where VMCB12 is to be accepted and L1 gets the exit. */
void run_l2(uint64_t code);

/* Calls it, and notes its panic. */
void run(void (*call)(void));

#endif
