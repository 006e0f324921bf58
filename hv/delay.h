/*
 * Time by the TSC, measured once against the PIT. Relies on hv/x86.h.
 */
#ifndef HV_DELAY_H
#define HV_DELAY_H

#include <stdint.h>

/* TSC ticks of a millisecond; too many rather than too few where there is no PIT. */
uint64_t ticks_per_ms(void);

void delay_ms(unsigned int ms);

#endif
