/*
 * The operand that an instruction names by ModRM, for a processor that does not tell it (without
 * decode assists, or for an instruction that these do not cover). Relies on svm/vcpu.h.
 */
#ifndef SVM_DECODE_OPERAND_H
#define SVM_DECODE_OPERAND_H

#include "svm/vcpu.h"

/* Segment registers by the number that instructions use. */
enum segment {
	SEGMENT_ES,
	SEGMENT_CS,
	SEGMENT_SS,
	SEGMENT_DS,
	SEGMENT_FS,
	SEGMENT_GS,
	SEGMENT_DEFAULT, /* no override */
};

/* What stands before an opcode; APM vol. 3, section 1.2. */
struct prefixes {
	uint8_t length;       /* bytes, REX included */
	uint8_t address_size; /* bytes: 2, 4 or 8 */
	uint8_t segment;      /* enum segment: the override that counts */
	uint8_t rex;          /* 0: none */
	bool operand_size;    /* 66h */
	bool repeat;          /* F2h, F3h */
};

struct operand {
	bool memory;
	uint8_t rm;      /* of a register operand: enum gpr */
	uint8_t reg;     /* ModRM.reg with REX.R: enum gpr, or in its low three bits an opcode's */
	uint8_t length;  /* bytes: ModRM, SIB and displacement */
	uint8_t segment; /* of a memory operand: enum segment; SS or not decides on #SS or #GP */
	uint64_t linear; /* of a memory operand; in 64-bit code it need not be canonical */
};

/* A general register of the guest's as an operand of its mode: 64 or 32 bits. */
uint64_t read_gpr(const struct vcpu *vcpu, unsigned int number);
void write_gpr(struct vcpu *vcpu, unsigned int number, uint64_t value);

/* Bytes in an address of the guest's code, with the prefix 67h or without. */
static inline uint8_t address_size(const struct vmcb_save *save, bool prefix)
{
	if (in_64bit_code(save))
		return prefix ? 4 : 8;
	return !(save->cs.attributes & SEG_ATTR_DB) == prefix ? 4 : 2;
}

/*
 * Reads the prefixes of the instruction that begins at bytes. What comes behind them is at
 * bytes[prefixes->length], unless that is have: then there was nothing else.
 */
void prefixes_decode(const struct vmcb_save *save, const uint8_t *bytes, unsigned int have,
                     struct prefixes *prefixes);

/*
 * Reads the operand of the instruction at the guest's RIP, whose first have bytes are bytes and
 * whose ModRM is bytes[at]; nothing follows its displacement (RIP-relative addresses count from
 * the end). APM vol. 3, sections 1.4, 1.5 and 1.7, and appendix A.2. FS and GS must still be the
 * guest's in the processor. Checks neither segment limits nor rights. False: the bytes end before
 * the operand does.
 */
bool operand_decode(const struct vcpu *vcpu, const struct prefixes *prefixes, const uint8_t *bytes,
                    unsigned int have, unsigned int at, struct operand *operand);

/* Where a string instruction reads: the linear address of DS:rSI, or of another segment's by
 * prefix. */
uint64_t operand_of_string(const struct vcpu *vcpu, const struct prefixes *prefixes);

#endif
