/*
 * The window through which L0 reaches physical memory. Relies on the page tables that
 * hv/paging.c builds: 64-bit L0 maps all memory at PHYS_WINDOW, and below 4 GiB what else is there
 * (hv/window.h).
 */
#ifndef HV_PHYS_H
#define HV_PHYS_H

#include <stdbool.h>
#include <stdint.h>

#ifndef PHYS_WINDOW /* 0 in the EFI program, as the firmware maps memory, and in L1's images */
#define PHYS_WINDOW 0xffff800000000000ull
#endif

/* The address at which L0 sees the hpa. Unit tests bring a function of their own. */
#ifdef NESTLING_HOST_TEST
void *phys(uint64_t hpa);
#else
static inline void *phys(uint64_t hpa)
{
	return (void *)(uintptr_t)(PHYS_WINDOW + hpa);
}
#endif

/* Do [base, base + bytes) and [other, other + size) have an address in common? Neither is empty. */
static inline bool overlap(uint64_t base, uint64_t bytes, uint64_t other, uint64_t size)
{
	return base - other < size || other - base < bytes;
}

#endif
