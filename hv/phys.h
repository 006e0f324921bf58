/*
 * The window through which L0 reaches physical memory. Relies on the page tables that
 * hv/paging.c builds: 64-bit L0 maps all memory at PHYS_WINDOW, and below 4 GiB what else is there
 * (hv/window.h). 32-bit L0 has nothing but the first 4 GiB; the last 16 MiB of them are what lies
 * below PHYS_WINDOW, where the first pages and the image are left out.
 */
#ifndef HV_PHYS_H
#define HV_PHYS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef NESTLING_HOST_TEST /* which has guests of all widths, and tests of 32-bit L0's own say so   \
                           */
#ifndef PHYS_BITS_MOST
#define PHYS_BITS_MOST 64
#endif
#elif defined(__x86_64__)
#define PHYS_BITS_MOST 64 /* of an address that L0 reaches, and that its tables map for guests */
#else
#define PHYS_BITS_MOST 32
#endif

#ifndef PHYS_WINDOW /* 0 in the EFI program, as the firmware maps memory, and in L1's images */
#define PHYS_WINDOW (PHYS_BITS_MOST == 64 ? 0xffff800000000000ull : 0x01000000ull)
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

/* Is it in the window, if anything is there? */
static inline bool phys_reaches(uint64_t hpa)
{
	const uint64_t end = 1ull << 32, hidden = end - (16ull << 20), shown = end - (4ull << 20);

	return PHYS_BITS_MOST == 64 || hpa < hidden || (hpa >= shown && hpa < end);
}

/* Do [base, base + bytes) and [other, other + size) have an address in common? Neither is empty. */
static inline bool overlap(uint64_t base, uint64_t bytes, uint64_t other, uint64_t size)
{
	return base - other < size || other - base < bytes;
}

#endif
