/*
 * The registers that say what memory is: MTRRs, SYSCFG, and those that decide where addresses lead.
 * L1's MTRRs are virtual, for each processor as hardware has them; what they say takes effect in
 * L0's tables. Relies on hv/mtrr.h.
 */
#ifndef SVM_MEMORY_MEMORY_TYPES_H
#define SVM_MEMORY_MEMORY_TYPES_H

#include "svm/vcpu.h"

/* Takes over what the firmware has left in this processor's registers; boot: it is the first one.
 */
void memory_types_init(struct vcpu *vcpu, bool boot);

/* Bits as in an MSRPM (APM 15.11): which accesses to the register are for the next two. 0: none. */
enum { MSR_READS = 1, MSR_WRITES = 2 };
unsigned int memory_msr_exits(uint32_t msr);

/* RDMSR and WRMSR of such a register. False: #GP. */
bool memory_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool memory_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/*
 * The type of an aligned block of L1's memory, for the processor at work, into the mapping. False:
 * it has more than one, and no large page may reach across.
 */
bool memory_type_of(uint64_t base, uint64_t size, struct host_mapping *mapping);

#endif
