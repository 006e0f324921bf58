/*
 * The local APIC, xAPIC or x2APIC as it is, for tests that need a physical interrupt.
 * Relies on L1's mapping of the APIC's page.
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include <stdbool.h>
#include <stdint.h>

enum {
	APIC_ICR_LOW = 0x300, /* offset of a register */

	/* ICR's low half; APM vol. 2, section 16.5. */
	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_PENDING = 1 << 12,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SELF = 1 << 18,
	ICR_ALL = 2 << 18,
	ICR_OTHERS = 3 << 18,
};

/*
 * Masks the 8259s and the APIC's own sources, enables the APIC, takes what firmware left pending.
 * With the word x2apic=on in x2APIC mode; where there is none the run is skipped.
 */
void apic_init(void);

/* Is this processor's APIC in x2APIC mode? Puts it there, if it is enabled. */
bool apic_is_x2(void);
void apic_turn_on_x2(void);

/* The gpa of the APIC's page. */
uint64_t apic_base(void);

/* Sends this processor a fixed interrupt, and waits until the APIC has it. */
void apic_self(uint8_t vector);

/* Sends an NMI to this processor. */
void apic_self_nmi(void);

/* The id of this processor's APIC. */
uint32_t apic_id(void);

/* Writes ICR: command is its low half, id the processor, where the command names one. */
void apic_send(uint32_t id, uint32_t command);

/* One interrupt after so many of the timer's counts. */
void apic_timer(uint8_t vector, uint32_t counts);
void apic_timer_again(uint32_t counts); /* with the same vector, from now on */
void apic_timer_stop(void);

/* Ends the interrupt in service, unless the vector is one that needs no end. */
void apic_eoi(uint8_t vector);

#endif
