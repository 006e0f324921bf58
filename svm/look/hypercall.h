/*
 * Looking into Nestling from L1: the hypercall, the registers of counters, the dump. What L1 sees
 * of it is in svm/look/interface.h. Relies on svm/vcpu.h.
 */
#ifndef SVM_LOOK_HYPERCALL_H
#define SVM_LOOK_HYPERCALL_H

#include "svm/vcpu.h"

/* #VMEXIT(VMMCALL) of L1. */
void handle_vmmcall(struct vcpu *vcpu);

/*
 * Is it one of the registers that read counters? Reading fails where L2 runs, for which they are
 * not there: nor those of a Nestling below, whose L1 this one is.
 */
bool is_counter(uint32_t msr);
bool counter_read(const struct vcpu *vcpu, uint32_t msr, uint64_t *value);

/*
 * Writes the counters of all processors, those that are not 0, by lines of the log. It waits for
 * the serial port; the processors whose counters they are go on.
 */
void counters_report(void);

/* The same to COM1, which is L1's else. False: another processor is at it. */
bool counters_dump(void);

/* report.c: what a panic, or a shutdown before the reset, says of the guest. */
void report_guest(void);

#endif
