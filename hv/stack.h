/*
 * What is a processor's own in L0 stands at the low end of its stack: FS, GS and TR are the guest's
 * all the time. Relies on all stacks being aligned to their size.
 */
#ifndef HV_STACK_H
#define HV_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACK_SIZE 16384u

#ifdef __x86_64__
#define STACK_POINTER "rsp"
#else
#define STACK_POINTER "esp"
#endif

struct stack_base {
	void *processor;           /* svm/vcpu.h's, NULL until there is one */
	_Alignas(8) uint64_t nmis; /* that the processor took in L0 */
	uint64_t inits;            /* likewise, as #SX */
	uint64_t machine_checks;
	bool dies; /* it panics */
};

_Static_assert(offsetof(struct stack_base, nmis) == 8, "hv/exception.asm");

/* Of the stack that is in use. */
static inline struct stack_base *stack_base(void)
{
	uintptr_t sp;

	__asm__("mov %%" STACK_POINTER ", %0" : "=r"(sp));
	return (struct stack_base *)(sp & ~(uintptr_t)(STACK_SIZE - 1));
}

#endif
