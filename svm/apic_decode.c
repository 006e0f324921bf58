/*
 * Stores to the local APIC's page. Relies on svm/operand.h for what an operand takes.
 */
#include "svm/apic_decode.h"
#include "svm/control_registers.h"

enum {
	OPCODE_ALU_LAST = 0x31, /* XOR; CMP (39) stores nothing */
	OPCODE_ALU_IMMEDIATE = 0x81,
	OPCODE_ALU_IMMEDIATE_8 = 0x83,
	OPCODE_XCHG = 0x87,
	OPCODE_MOV_8 = 0x88,
	OPCODE_MOV = 0x89,
	OPCODE_MOV_OFFSET_8 = 0xa2,
	OPCODE_MOV_OFFSET = 0xa3,
	OPCODE_MOV_IMMEDIATE_8 = 0xc6,
	OPCODE_MOV_IMMEDIATE = 0xc7,
	REX_W = 1 << 3,
	KNOWN_ALU = 1 << APIC_ADD | 1 << APIC_OR | 1 << APIC_AND | 1 << APIC_SUB | 1 << APIC_XOR,
};

#define RFLAGS_BY_LAHF    0xd5ull
#define RFLAGS_OF         (1ull << 11)
#define RFLAGS_ARITHMETIC (RFLAGS_BY_LAHF | RFLAGS_OF)

static uint8_t operand_size(const struct vmcb_save *save, const struct prefixes *prefixes)
{
	bool wide = in_64bit_code(save) || (save->cs.attributes & SEG_ATTR_DB);

	if (prefixes->rex & REX_W)
		return 8;
	return wide == prefixes->operand_size ? 2 : 4;
}

/* A little-endian number with a sign; at most 4 bytes of it are there, whatever the operand. */
static bool read_immediate(const uint8_t *bytes, unsigned int have, unsigned int at,
                           unsigned int size, uint32_t *value)
{
	if (at + size > have)
		return false;
	*value = 0;
	for (unsigned int i = 0; i < size; i++)
		*value |= (uint32_t)bytes[at + i] << (8 * i);
	if (size == 1)
		*value = (uint32_t)(int8_t)*value;
	return true;
}

/* What follows the operand, and what is stored. */
struct form {
	uint8_t operation;
	bool immediate, immediate_8;
};

static bool find_form(uint8_t opcode, uint8_t reg, struct form *form)
{
	*form = (struct form){.operation = APIC_MOV};
	switch (opcode) {
	case OPCODE_MOV_8:
	case OPCODE_MOV:
		return true;
	case OPCODE_XCHG:
		form->operation = APIC_XCHG;
		return true;
	case OPCODE_MOV_IMMEDIATE_8:
	case OPCODE_MOV_IMMEDIATE:
		form->immediate = true;
		form->immediate_8 = opcode == OPCODE_MOV_IMMEDIATE_8;
		return (reg & 7) == 0;
	case OPCODE_ALU_IMMEDIATE:
	case OPCODE_ALU_IMMEDIATE_8:
		form->immediate = true;
		form->immediate_8 = opcode == OPCODE_ALU_IMMEDIATE_8;
		form->operation = reg & 7;
		break;
	default:
		if (opcode > OPCODE_ALU_LAST || (opcode & 7) != 1)
			return false;
		form->operation = opcode >> 3;
		break;
	}
	return KNOWN_ALU >> form->operation & 1;
}

/* A2 and A3: the address stands in the instruction, as wide as addresses are. */
static bool decode_offset(const struct vcpu *vcpu, const struct prefixes *prefixes,
                          unsigned int have, unsigned int at, struct apic_store *store)
{
	at += prefixes->address_size;
	store->operation = APIC_MOV;
	store->source = low32(read_gpr(vcpu, GPR_RAX));
	store->length = (uint8_t)at;
	return at <= have;
}

bool apic_decode(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                 struct apic_store *store)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	unsigned int at, immediate = 0;
	struct prefixes prefixes;
	struct operand operand;
	struct form form;
	uint8_t opcode;

	prefixes_decode(save, bytes, have, &prefixes);
	at = prefixes.length;
	if (at >= have)
		return false;
	opcode = bytes[at++];
	*store = (struct apic_store){.size = operand_size(save, &prefixes)};
	if (opcode == OPCODE_MOV_8 || opcode == OPCODE_MOV_OFFSET_8 ||
	    opcode == OPCODE_MOV_IMMEDIATE_8)
		store->size = 1;
	if (opcode == OPCODE_MOV_OFFSET || opcode == OPCODE_MOV_OFFSET_8)
		return decode_offset(vcpu, &prefixes, have, at, store);
	if (!operand_decode(vcpu, &prefixes, bytes, have, at, &operand) || !operand.memory ||
	    !find_form(opcode, operand.reg, &form))
		return false;
	at += operand.length;
	if (form.immediate) {
		immediate = form.immediate_8 ? 1 : store->size == 2 ? 2 : 4;
		if (!read_immediate(bytes, have, at, immediate, &store->source))
			return false;
	} else {
		store->source = low32(read_gpr(vcpu, operand.reg));
	}
	store->operation = form.operation;
	store->reg = operand.reg;
	store->length = (uint8_t)(at + immediate);
	return true;
}

/* SF, ZF, AF, PF and CF by LAHF, where they stand as in RFLAGS. */
#define EXECUTE(name)                                                                              \
	__asm__(name " %3, %0; lahf; seto %1"                                                      \
	        : "+r"(value), "=&r"(overflow), "=&a"(ax)                                          \
	        : "r"(source)                                                                      \
	        : "cc")

uint32_t apic_execute(struct vcpu *vcpu, const struct apic_store *store, uint32_t old)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	uint32_t value = old, source = store->source, ax;
	uint8_t overflow;

	switch (store->operation) {
	case APIC_ADD:
		EXECUTE("addl");
		break;
	case APIC_OR:
		EXECUTE("orl");
		break;
	case APIC_AND:
		EXECUTE("andl");
		break;
	case APIC_SUB:
		EXECUTE("subl");
		break;
	case APIC_XOR:
		EXECUTE("xorl");
		break;
	case APIC_XCHG:
		write_gpr(vcpu, store->reg, old);
		return source;
	default:
		return source;
	}
	save->rflags = (save->rflags & ~RFLAGS_ARITHMETIC) | (ax >> 8 & RFLAGS_BY_LAHF) |
	               (overflow ? RFLAGS_OF : 0);
	return value;
}
