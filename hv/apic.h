/*
 * The registers of this processor's local APIC: where they are, what they have, and access to them
 * in either mode. APM vol. 2, sections 16.3 to 16.5. Relies on hv/phys.h.
 */
#ifndef HV_APIC_H
#define HV_APIC_H

#include "hv/phys.h"
#include "hv/x86.h"

/* Offsets in the page; in x2APIC mode registers are MSRs, a sixteenth of it from 800h. */
enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SPURIOUS = 0xf0,
	APIC_ISR = 0x100,
	APIC_IRR = 0x200,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_TIMER = 0x320,
	APIC_PERFORMANCE = 0x340,
	APIC_LINT0 = 0x350,
	APIC_LINT1 = 0x360,
	APIC_ERROR = 0x370,
	APIC_TIMER_COUNT = 0x380,
	APIC_TIMER_DIVIDE = 0x3e0,
	APIC_EXTENSION = 0x400, /* if there is one: what it has */
	APIC_EXTENDED_CONTROL = 0x410,
	APIC_ENABLED = 0x480, /* vectors */
	APIC_EXTENDED_LVT = 0x500,
	APIC_STEP = 0x10,
};

enum {
	APIC_ID_SHIFT = 24,  /* of ID, LDR and ICR's high half */
	TPR_CLASS_SHIFT = 4, /* CR8 has what is above */
	EXTENSION_ENABLED = 1 << 0,
	EXTENSION_COUNT_SHIFT = 16,
	EXTENSION_COUNT = 7, /* of local vectors; four are defined */
	EXTENDED_LVTS = 4,
	SPURIOUS_ENABLE = 1 << 8,
	SPURIOUS_VECTOR = 0xff,
	LVT_MODE = 7 << 8,
	LVT_NMI = 4 << 8,
	LVT_EXTINT = 7 << 8,
	LVT_MASKED = 1 << 16,
	DFR_MODEL_SHIFT = 28,
	DFR_FLAT = 0xf,
	DFR_CLUSTER = 0,
	DFR_RESET = -1,
};
#define VERSION_EXTENDED (1u << 31)

/* ICR's low half. What is sent by L0 is edge triggered. */
enum {
	ICR_VECTOR = 0xff,
	ICR_MODE = 7 << 8,
	ICR_SMI = 2 << 8,
	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8, /* | vector */
	ICR_LOGICAL = 1 << 11,
	ICR_BUSY = 1 << 12,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SHORTHAND = 3 << 18,
	ICR_TO_SELF = 1 << 18,
	ICR_TO_ALL = 2 << 18,
	ICR_TO_OTHERS = 3 << 18,
};

#define MSR_X2APIC       0x800u
#define X2APIC_MSRS      0x100u
#define X2APIC_MSR(at)   (MSR_X2APIC + (at) / APIC_STEP) /* of the register at this offset */
#define APIC_PAGE_OFFSET ((uint64_t)PAGE_SIZE - 1)

/* Where the registers are: the hpa of their page, or this one in x2APIC mode. */
#define APIC_NO_PAGE (~0ull)

static inline uint32_t apic_read(uint64_t page, unsigned int offset)
{
	if (page == APIC_NO_PAGE)
		return (uint32_t)rdmsr(X2APIC_MSR(offset));
	return *(volatile uint32_t *)phys(page + offset);
}

static inline void apic_write(uint64_t page, unsigned int offset, uint32_t value)
{
	if (page == APIC_NO_PAGE)
		wrmsr(X2APIC_MSR(offset), value);
	else
		*(volatile uint32_t *)phys(page + offset) = value;
}

#endif
