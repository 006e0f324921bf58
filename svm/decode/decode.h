/*
 * Instructions that exited: their length and operands where the processor does not tell. Fetches
 * through the guest's own paging. Relies on mmu/walk.h.
 */
#ifndef SVM_DECODE_DECODE_H
#define SVM_DECODE_DECODE_H

#include "svm/decode/operand.h"

enum { INSTRUCTION_MAX = 15 };

/*
 * The instruction at the guest's CS:RIP, which must be one that can exit with this code; until the
 * next call. NULL if it is not (any more): another processor changed code or tables; the guest is
 * to try again.
 */
const struct instruction *decode(struct vcpu *vcpu, uint64_t exit_code);

/* CLTS, which exits as a write of CR0. */
bool decode_clts(struct vcpu *vcpu, unsigned int *length);

/* LMSW, SMSW, INVLPG: of opcode 0F 01, told apart by ModRM.reg. */
struct group7 {
	struct operand operand;
	unsigned int length;
	bool other_operand_size; /* 66h */
};

enum { GROUP7_SMSW = 4, GROUP7_LMSW = 6, GROUP7_INVLPG = 7 };

bool decode_group7(struct vcpu *vcpu, unsigned int number, struct group7 *group7);

/* Where the guest's CS:RIP is. */
uint64_t linear_rip(const struct vmcb_save *save);

/*
 * Where L0 sees the INSTRUCTION_MAX bytes at the guest's CS:RIP, when they can be had without a
 * walk, or with a short one. NULL: fetch() has to do. They may change at any time: copy them.
 */
const uint8_t *code_at_rip(struct vcpu *vcpu);

/*
 * Reads the guest's memory at a linear address, through its paging; less than wanted where it is
 * not mapped. For L2 that goes through L1's nested tables, too.
 */
unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes);

#endif
