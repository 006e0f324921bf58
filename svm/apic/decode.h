/*
 * Instructions that store to pages that are kept from guests, or load from them: what they write,
 * and what else they do. Relies on svm/decode/operand.h.
 */
#ifndef SVM_APIC_DECODE_H
#define SVM_APIC_DECODE_H

#include "svm/decode/operand.h"

/* The numbers of the first are bits 5:3 of their opcodes, or ModRM.reg. */
enum apic_operation {
	APIC_ADD = 0,
	APIC_OR = 1,
	APIC_AND = 4,
	APIC_SUB = 5,
	APIC_XOR = 6,
	APIC_MOV = 8, /* these three do not read what was there */
	APIC_STOS,
	APIC_MOVS,
	APIC_XCHG,
	APIC_XADD,
	APIC_CMPXCHG,
	APIC_INC,
	APIC_DEC,
	APIC_NOT,
	APIC_NEG,
	APIC_CMP, /* these store nothing; the second one takes memory from the register */
	APIC_CMP_WITH,
	APIC_TEST,
	APIC_BTS,
	APIC_BTR,
	APIC_BTC,
	APIC_BT,
	APIC_OPERATIONS
};

struct apic_store {
	uint8_t operation;    /* enum apic_operation */
	uint8_t length;       /* bytes of the instruction */
	uint8_t size;         /* bytes of the operand: 1, 2, 4 or 8 */
	uint8_t address_size; /* bytes */
	uint8_t reg;          /* enum gpr: of XCHG, XADD */
	uint8_t shift;        /* of what reg has: 8 for AH, CH, DH and BH */
	uint32_t source;      /* low half of what is stored or combined with what was there */
	uint64_t from;        /* MOVS: the linear address of its source, which the caller reads */
};

/*
 * Decodes MOV and what else svm/apic/decode.c lists: the arithmetic and bit instructions, XCHG,
 * XADD, CMPXCHG, STOS and MOVS without REP. From the first
 * have bytes at the guest's RIP. False: another instruction, no operand in memory, or too few
 * bytes. APM vol. 3, appendix A.
 */
bool apic_decode(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                 struct apic_store *store);

/*
 * What an instruction leaves in memory that held old: the low bytes count, as many as the operand
 * has. Sets the registers and flags that it sets. An operand of 8 bytes only for MOV and STOS.
 */
uint32_t apic_execute(struct vcpu *vcpu, const struct apic_store *store, uint32_t old);

/*
 * The same for loads: MOV, the arithmetic instructions with a register that takes the result, CMP,
 * TEST and BT; an operand of 8 bytes only for MOV.
 */
bool apic_decode_load(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                      struct apic_store *load);

/* What a load does to registers and flags: memory is what it has read. */
void apic_load(struct vcpu *vcpu, const struct apic_store *load, uint32_t memory);

/* What STOS and MOVS do to rDI and rSI; of others nothing. */
void apic_advance(struct vcpu *vcpu, const struct apic_store *store);

/* Does apic_execute() need what was there? */
static inline bool apic_reads(const struct apic_store *store)
{
	return store->operation < APIC_MOV || store->operation > APIC_MOVS;
}

#endif
