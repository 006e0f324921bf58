/*
 * The little that L0 does with this processor's own local APIC, which is L1's: what L0 writes to
 * ICR's high half it puts back. Works in either mode, by the real APIC_BASE. APM vol. 2,
 * chapter 16.
 */
#ifndef HV_LAPIC_H
#define HV_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/apic.h" /* ICR_*: what is sent */

/* The id that the processor got at reset, and the leaf of CPUID that tells it. */
uint32_t lapic_initial_id(void);
uint32_t lapic_id_leaf(void);

/* The hpa of the page of registers, in whichever mode it is. */
uint64_t lapic_hpa(void);

/* Can this processor name one with this id? Without x2APIC mode ids have 8 bits. */
bool lapic_reaches(uint32_t id);

/* Sends an interrupt to the processor with this APIC id, which it reaches. */
void lapic_send(uint32_t id, uint32_t command);

/* ... to all others, whatever their ids are. */
void lapic_send_others(uint32_t command);

/*
 * The state after INIT (APM vol. 2, section 16.3.2) as far as software can make it: what is
 * pending in IRR stays.
 */
void lapic_init(void);

#endif
