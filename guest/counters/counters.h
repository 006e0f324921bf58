/*
 * Reading Nestling's counters from L1. Relies on svm/look/interface.h and svm/counters.h.
 */
#ifndef GUEST_COUNTERS_H
#define GUEST_COUNTERS_H

#include "guest/lib/guest.h"
#include "svm/look/counters.h"
#include "svm/look/interface.h"

static inline uint64_t counter(uint32_t number)
{
	return rdmsr(MSR_NESTLING_COUNTERS + number);
}

/* Exits of L1 or L2 (COUNTER_EXITS_*) with this code. */
static inline uint64_t exits(uint32_t level, uint32_t code)
{
	return counter(level + code);
}

/* The groups in guest/counters/. */
void counters_ports(void);

#endif
