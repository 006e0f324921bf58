/*
 * Leaving L1's paging for a moment: 32-bit code that runs with CR0.PG=0, other paging, real mode.
 * Relies on modes.asm, on memory below 4 GiB being mapped to itself, and on IF=0.
 */
#ifndef GUEST_MODES_H
#define GUEST_MODES_H

#include <stddef.h>
#include <stdint.h>

/* A page below 64 KiB for modes_real(), and the place of its results: SMSW, and 0x4ea1. */
#define MODES_REAL_BASE   0x7000u
#define MODES_REAL_RESULT 0xe00u
#define MODES_REAL_VALUE  0x4ea1u

struct modes_args {
	uint32_t address;
	uint32_t value, value_high, bytes;
	uint32_t cr3, cr4, efer;
	uint32_t result, cr0;
};
_Static_assert(offsetof(struct modes_args, cr3) == 16, "modes.asm");
_Static_assert(offsetof(struct modes_args, cr0) == 32, "modes.asm");

/* Pieces of code for modes_run(): names only, for C cannot call them. */
extern const uint8_t modes_store[]; /* stores value, 4 or 8 bytes, at address */
extern const uint8_t
	modes_paging[];            /* under cr3, cr4, efer: reads address, writes value behind it */
extern const uint8_t modes_real[]; /* goes to real mode; modes_real_code is at MODES_REAL_BASE */

extern const uint8_t modes_real_code[], modes_real_code_end[];

/*
 * Other code for MODES_REAL_BASE: it runs what L1 puts into its slot, with RET behind. The result
 * is the exception, 6 or 13, or REAL_TRY_NONE.
 */
#define REAL_TRY_NONE 0xffffu
extern const uint8_t real_try_code[], real_try_slot[], real_try_end[];

void modes_run(const uint8_t *code, struct modes_args *args);

#endif
