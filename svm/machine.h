/*
 * Making the processor a host, and L1's virtual processor on it. What boot/ calls when memory is
 * laid out. Relies on svm/vcpu.h.
 */
#ifndef SVM_MACHINE_H
#define SVM_MACHINE_H

#include "svm/vcpu.h"

/* The general registers and segments that L1 begins with: 32-bit protected mode, paging off. */
struct l1_start {
	uint32_t eip, esp;
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint16_t cs, ds;
	uint32_t gdt_base;
	uint16_t gdt_limit;
};

/*
 * Sets the shared mmu up over a pool of shadow pages (hpa and bytes; the descriptors are taken
 * from the same memory, as is what tracking L1's frames needs: see machine_tracking_size()).
 * memory_end: gpa behind L1's memory. levels: 4 or 5, as L0's own paging. Returns the number of
 * pages.
 */
uint32_t machine_init_mmu(uint64_t pool, uint64_t size, uint64_t memory_end, unsigned int levels);

/* Bytes that the pool needs besides for shadow pages. */
uint64_t machine_tracking_size(uint64_t memory_end);

/* Enables SVM on this processor and makes its vcpu, which starts L1. */
struct vcpu *machine_init_vcpu(const struct l1_start *start);

/* The vcpu of the processor that asks. */
struct vcpu *this_vcpu(void);

#endif
