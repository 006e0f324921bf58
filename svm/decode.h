/*
 * Instructions that exited: their length and operands where the processor does not tell. Fetches
 * through the guest's own paging. Relies on mmu/walk.h.
 */
#ifndef SVM_DECODE_H
#define SVM_DECODE_H

#include "svm/vcpu.h"

enum { INSTRUCTION_MAX = 15 };

/*
 * The instruction at the guest's CS:RIP, which must be one that can exit with this code. False if
 * it is not (any more): another processor changed code or tables; the guest is to try again.
 */
bool decode(struct vcpu *vcpu, uint64_t exit_code, struct instruction *instruction);

/*
 * Reads the guest's memory at a linear address, through its paging; less than wanted where it is
 * not mapped. For L2 that goes through L1's nested tables, too.
 */
unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes);

#endif
