/*
 * Exceptions in L0: a fixup where one is foreseen, else a panic. Relies on hv/exception.asm.
 */
#ifndef HV_EXCEPTION_H
#define HV_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes L0's interrupt descriptor table, and loads it on the first processor. Machine checks are
 * counted (hv/stack.h) from then on.
 */
void exception_init(void);

/* Loads it on another one. */
void exception_load(void);

#ifdef __x86_64__
#define FIXUP_WORD ".quad"
#else
#define FIXUP_WORD ".long"
#endif

/*
 * Runs an instruction that may fault with operands of the guest's; after a fault, goes on behind
 * it with "failed" set. APM vol. 3 lists what each can raise.
 */
#define WITH_FIXUP(instruction)                                                                    \
	"	xor %k[failed], %k[failed]\n"                                                            \
	"1:	" instruction "\n"                                                                 \
	"	jmp 3f\n"                                                                                \
	"2:	mov $1, %k[failed]\n"                                                                  \
	"3:\n"                                                                                     \
	"	.pushsection .fixup_table, \"a\"\n"                                                      \
	"	" FIXUP_WORD " 1b, 2b\n"                                                           \
	"	.popsection\n"

/* WRMSR and RDMSR that return false instead of raising #GP. */
bool wrmsr_safe(uint32_t msr, uint64_t value);
bool rdmsr_safe(uint32_t msr, uint64_t *value);

#endif
