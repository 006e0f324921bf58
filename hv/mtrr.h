/*
 * The memory type range registers: where no large page may reach across. Relies on hv/x86.h.
 */
#ifndef HV_MTRR_H
#define HV_MTRR_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the registers; again whenever the guest has written one. */
void mtrr_read(void);

/*
 * Does all of [base, base + size), an aligned block, have one memory type? A large page across
 * two types is undefined (APM vol. 2, section 7.7.4). The first MiB is never uniform: fixed ranges
 * lie there.
 */
bool mtrr_uniform(uint64_t base, uint64_t size);

/* Is this one of the registers? */
bool mtrr_is_register(uint32_t msr);

#endif
