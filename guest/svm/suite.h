/*
 * The nested SVM suite: its groups, and the pieces of code that a row of a table brings as bytes.
 * Relies on guest/lib. Each group is named after a line of what a nested SVM must honour; sections
 * are of APM vol. 2, chapter 15.
 */
#ifndef GUEST_SVM_SUITE_H
#define GUEST_SVM_SUITE_H

#include "guest/lib/guest.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

void suite_permission(void); /* who may execute SVM's instructions, on which address */
void suite_msr(void);        /* VM_CR, VM_HSAVE_PA, SVM_KEY, EFER.SVME */
void suite_agree(void);      /* CPUID, and what CR4, EFER, XCR0 and XSS take */
void suite_fails(void);      /* VMRUNs that must fail, and what they leave */
void suite_entry(void);      /* what VMRUN takes from the VMCB */
void suite_bases(void);      /* bases that are not canonical */
void suite_own(void);        /* SVM's instructions of L2 that L1 does not intercept */
void suite_npt(void);        /* what guest/points has not of nested paging */
void suite_exit(void);       /* what #VMEXIT saves and brings back; events in flight; order */
void suite_intercept(void);  /* every intercept: control and debug registers, exceptions, ... */
void suite_instruction(void);
void suite_exception(void);
void suite_maps(void); /* MSRPM and IOPM */
void suite_gif(void);
void suite_nmi(void);
void suite_inject(void);
void suite_debug(void);

/* Machine code; the name of the row says what it is. */
struct code {
	const char *bytes;
	unsigned int length;
};
#define CODE(text)                                                                                 \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}
#define BITS64 (sizeof(void *) == 8)
#ifdef __x86_64__
#define STACK_POINTER "rsp"
#else
#define STACK_POINTER "esp"
#endif

/* Opens a point with a new L2, of the widest kind, in slot 0. */
struct l2 *fresh(const char *name);

/* Like point(), for a name that is made from parts; the text is kept until the next one. */
void point_named(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Copies the code to L2_BOOT in L2's memory, with VMMCALL behind it, and points RIP at it. */
void load_code(struct l2 *l2, const struct code *code);
void run_code(struct l2 *l2, const struct code *code);

/* The exit came before the instruction at L2_BOOT: RIP is there, nRIP, if offered, behind it. */
bool check_before(struct l2 *l2, uint64_t exit, unsigned int length);
/* L2 ran through load_code()'s code up to the VMMCALL. */
bool check_through(struct l2 *l2, unsigned int length);

/* Does the leaf of CPUID have all of these bits? */
bool cpuid_has(uint32_t leaf, uint32_t ebx, uint32_t ecx, uint32_t edx);

/* An L2 in protected mode at CPL 3; its TSS, at ngpa 0, leads to CPL 0 and L2_STACK_TOP. */
struct l2 *new_user(void);

/* A value for EVENTINJ. */
static inline uint64_t event(enum event_type type, unsigned int vector)
{
	return EVENT_VALID | (uint64_t)type << EVENT_TYPE_SHIFT | vector;
}
static inline uint64_t event_error(unsigned int vector, uint32_t error)
{
	return event(EVENT_EXCEPTION, vector) | EVENT_ERROR_VALID |
	       (uint64_t)error << EVENT_ERROR_SHIFT;
}

/* A deviation of an emulator was seen: the point passes by name, and its checks are left out. */
static inline bool lets_pass(bool seen, enum emulator emulator, const char *reason)
{
	if (!seen || !emulator_is(emulator))
		return false;
	point_known(emulator, reason);
	return true;
}

/* Gives an interrupt that is pending at L1 the time to come, or not. */
void wait_a_while(void);
/* Takes what is pending, with IF=1 for a while. */
void open_window(void);

#endif
