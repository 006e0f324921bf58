/*
 * The groups of the image `hardware`, and what they share. Besides points there are lines that
 * tell what the processor does where the manual leaves it free, "# seen: ...", and figures, "#
 * cycles: ...". Relies on guest/lib, and on guest/svm/suite.h for L2s of a few bytes of code.
 */
#ifndef GUEST_HARDWARE_HARDWARE_H
#define GUEST_HARDWARE_HARDWARE_H

#include "guest/svm/suite.h"

void hardware_machine(void); /* tells of the processor; no points */
void hardware_walker(void);  /* A and D of nested tables */
void hardware_rights(void);  /* what needs a flush, and what needs none */
void hardware_length(void);  /* nRIP */
void hardware_clean(void);   /* clean bits */
void hardware_assists(void); /* decode assists */
void hardware_lbr(void);
void hardware_vmload(void);
void hardware_vgif(void);
void hardware_vnmi(void);
void hardware_pause(void);
void hardware_tsc(void);
void hardware_spec_ctrl(void);
void hardware_implicit(void); /* SMAP, RFLAGS.AC, and what the processor writes for itself */
void hardware_cycles(void);   /* of VMRUN and #VMEXIT; the rest is in guest/bench */

/*
 * Opens the group. Where the processor has not all of these SVM_FEATURE_* the group is one point,
 * skipped with the reason, and the result is false; so it is where the filter names others.
 */
bool hardware_group(const char *name, uint32_t features, const char *lacks);

/* Prints "# seen: ...". */
void seen(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs L2 from the snippet with this TLB_CONTROL. */
void run_with(struct l2 *l2, enum l2_snippet snippet, enum tlb_control control);

/* L2 reads or writes the ngpa through its alias, and must come to the end of it. */
void read_with(struct l2 *l2, uint64_t ngpa, enum tlb_control control);
void write_with(struct l2 *l2, uint64_t ngpa, enum tlb_control control);

/* The MSR as L2 reads it; 0 and a failed check if L2 cannot. */
uint64_t l2_rdmsr(struct l2 *l2, uint32_t msr);
void l2_wrmsr(struct l2 *l2, uint32_t msr, uint64_t value);

#endif
