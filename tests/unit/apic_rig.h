/*
 * A machine whose real APICs are arrays, for tests of svm/apic/apic.c, svm/apic/base.c and
 * svm/apic/kept.c: processors that note what they get, and L1's stores. Relies on cmocka.
 */
#ifndef TESTS_UNIT_APIC_RIG_H
#define TESTS_UNIT_APIC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/apic.h"
#include "svm/apic/apic.h"
#include "svm/decode/decode.h"
#include "svm/features.h"
#include "svm/apic/kept.h"
#include "svm/vcpu.h"

/* A test with very many says so before it includes the rig itself; they begin zeroed. */
#define RIG_FEW 10
#ifndef RIG_MAX
#define RIG_MAX RIG_FEW
#endif

enum { MAX = RIG_MAX, NOTHING = -1, INIT = 256, NMI = 257 /* else the vector of a SIPI */ };
#define PAGE  0xfee00000ull
#define OTHER 0xfed40000ull
#define ON    ((uint64_t)APIC_BASE_ENABLE)
#define X2    ((uint64_t)APIC_BASE_X2APIC)

extern struct vcpu vcpus[MAX];
extern struct vmcb vmcb;             /* of all of them */
extern const unsigned int pages_max; /* so many different pages APICs may have */

/* The real APICs: registers, where rows beyond are memory, and MSRs of the processor. */
extern uint32_t registers[MAX][PAGE_SIZE / 4];
extern uint64_t real_base, x2_msr[256], icr_msr;
extern unsigned int icr_writes, base_writes;
extern bool wrmsr_faults;

/* Since forget(): what each processor got, pages dropped, the exception raised, bytes finished. */
extern int got[MAX];
extern uint64_t dropped[8];
extern unsigned int drops;
extern int exception;
unsigned int finished(void); /* or since it was asked last */

/* Code at RIP, and the event that it is amid; where L1 has a page of memory. */
extern uint8_t code[INSTRUCTION_MAX];
extern unsigned int code_length;
extern uint64_t in_delivery, memory_at;
/* What a guest does that L0 enters for itself, by a VMCB at that hpa. */
enum { PROBED_HPA = 0x5000 };
extern void (*guest_runs)(struct vmcb *vmcb);
/* A word of L1's data, and its linear address. */
extern uint32_t data;
extern uint64_t data_at;

extern unsigned int intercepted, lines; /* MSRs; lines logged */
extern unsigned int looked_at;          /* processors, one after the other, since forget() */

extern uint64_t in_window; /* the page that L0's window was asked for last */
extern bool window_is_full;

void forget(void);
/* The test goes on on this processor. */
void on(unsigned int processor);

/* 32-bit code; processors with ids 0, 2, 4 ... and flat logical names of one bit. */
void machine(unsigned int processors);

/* MOV [disp32], EAX */
void store(unsigned int offset, uint32_t value);
/* Both halves of ICR. */
void command(uint32_t destination, uint32_t low);

/* Those with a bit in who got this, the others nothing; nothing reached the real APIC. */
void assert_got(unsigned int who, int what);

#endif
