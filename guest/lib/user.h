/*
 * Code at CPL 3, and in virtual 8086 mode: L1 enters it with a few registers, and every exception,
 * ends it; UD2 and INT USER_RETURN_VECTOR as they should. Relies on exception.h; the code must be
 * in user pages.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <stdbool.h>
#include <stdint.h>

/* What user.asm has, in its order; rBX is an address, rCX a value, and rAX the result. */
enum user_code {
	USER_READ,
	USER_WRITE,
	USER_FETCH,
	USER_INVLPG,
	USER_READ_CR0,
	USER_READ_CR3,
	USER_WRITE_CR3,
	USER_CLTS,
	USER_LMSW,
	USER_SMSW,
	USER_SOFT, /* INT3: a gate that CPL 3 may not use */
	USER_LOAD_FS,
	USER_VMMCALL,
	USER_INT, /* INT USER_RETURN_VECTOR, and nothing before it */
};

struct user {
	uintptr_t ax, bx, cx, ip, sp, flags; /* ip and sp: below 64 KiB with RFLAGS.VM */
};

/* Loads TR with a task state segment whose stack for CPL 0 is the library's. VMLOAD undoes that. */
void user_init(void);

/* Where that stack begins, for a test that has one of its own; 0: the library's again. */
void user_set_stack(uintptr_t top);

/* The first interrupt stack of long mode; without it, CR3 for task switches back to L1. */
void user_set_ist(uintptr_t top);
void user_set_cr3(uintptr_t cr3);

/* Copies user.asm's code, less than a page, to where L1 sees it; user_code_at() is an offset in it.
 */
void user_copy_code(void *to);
uintptr_t user_code_at(enum user_code code);

/* Runs it. -1 if it ended by UD2 or the INT, else the vector; trap_last tells more. */
int user_run(const struct user *user);

#endif
