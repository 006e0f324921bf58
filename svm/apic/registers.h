/*
 * The registers of this processor's real local APIC, by the vcpu that runs on it. For
 * svm/apic/apic.c and svm/apic/base.c. Relies on hv/phys.h. APM vol. 2, section 16.3.
 */
#ifndef SVM_APIC_REGISTERS_H
#define SVM_APIC_REGISTERS_H

#include "hv/phys.h"
#include "svm/vcpu.h"

/* Offsets of registers in the page; in x2APIC mode they are MSRs, a sixteenth of it from 800h. */
enum {
	APIC_ID = 0x20,
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
	APIC_LINT0 = 0x350,
	APIC_LINT1 = 0x360,
	APIC_ERROR = 0x370,
	APIC_EXTENDED_LVT = 0x500,

	APIC_EXTENDED_LVTS = 4,
	APIC_STEP = 0x10,
	ID_SHIFT = 24, /* of ID, LDR and ICR's high half */
	SPURIOUS_ENABLE = 1 << 8,
	SPURIOUS_VECTOR = 0xff,
	LVT_MASKED = 1 << 16,
	LVT_NMI = 4 << 8,
	LVT_EXTINT = 7 << 8,
	DFR_MODEL_SHIFT = 28,
	DFR_FLAT = 0xf,
	DFR_CLUSTER = 0,
};

#define MSR_X2APIC       0x800u
#define X2APIC_MSRS      0x100u
#define X2APIC_MSR(at)   (MSR_X2APIC + (at) / APIC_STEP) /* of the register at this offset */
#define APIC_NO_PAGE     (~0ull)
#define APIC_PAGE_OFFSET ((uint64_t)PAGE_SIZE - 1)

static inline uint32_t apic_read(const struct vcpu *vcpu, unsigned int offset)
{
	if (vcpu->apic.page == APIC_NO_PAGE)
		return low32(rdmsr(X2APIC_MSR(offset)));
	return *(volatile uint32_t *)phys(vcpu->apic.page + offset);
}

static inline void apic_write(const struct vcpu *vcpu, unsigned int offset, uint32_t value)
{
	if (vcpu->apic.page == APIC_NO_PAGE)
		wrmsr(X2APIC_MSR(offset), value);
	else
		*(volatile uint32_t *)phys(vcpu->apic.page + offset) = value;
}

/* Notes by what names other processors find this one. */
void apic_read_names(struct vcpu *vcpu);

#endif
