/*
 * The selects of performance counters: L1's count L1 and L2, never L0. Relies on svm/vcpu.h.
 */
#ifndef SVM_EMULATE_PERF_H
#define SVM_EMULATE_PERF_H

#include "svm/vcpu.h"

/* The number of the counter that the register selects events for; -1: it is no such register. */
int perf_select_of(uint32_t msr);

/* RDMSR and WRMSR of such a register. False: #GP. */
bool perf_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool perf_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* What the firmware has left counting on this processor no longer counts L0. */
void perf_init(struct vcpu *vcpu);

/* To be called where perf.split is set: the other one of L1 and L2 runs now, or L1's EFER.SVME has
 * changed. */
void perf_switch(struct vcpu *vcpu);

/* Calls it for each such register. */
void perf_each_select(void (*call)(struct vcpu *vcpu, uint32_t msr), struct vcpu *vcpu);

#endif
