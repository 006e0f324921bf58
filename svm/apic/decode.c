/*
 * Stores to pages that are kept from guests, and loads. Relies on svm/decode/operand.h for what an
 * operand takes.
 */
#include "svm/apic/decode.h"

enum {
	OPCODE_TWO_BYTES = 0x0f,
	REX_W = 1 << 3,
	AH = 4,  /* as a register of one byte, without REX; APM vol. 3, section 1.4.1 */
	ANY = 8, /* ModRM.reg is a register */
};

/* Where an instruction has what it stores, or combines with what was there. */
enum source {
	REGISTER,    /* ModRM.reg, if anywhere */
	IMMEDIATE,   /* as wide as the operand, 4 bytes at most */
	IMMEDIATE_8, /* one byte, with its sign */
	OFFSET,      /* rAX; no ModRM: the address stands in the instruction */
	STRING,      /* rAX, or memory at rSI; no ModRM */
};

/* APM vol. 3, appendix A, with the most frequent ones first. One less is the form with a byte. */
struct form {
	uint16_t opcode;   /* with 0F in the upper byte, or one byte */
	uint8_t group;     /* ModRM.reg, or ANY */
	uint8_t operation; /* enum apic_operation */
	uint8_t source;    /* enum source */
	bool no_byte;      /* there is no such form */
};

static const struct form store_forms[] = {
	{0x89, ANY, APIC_MOV, REGISTER, false},    {0xc7, 0, APIC_MOV, IMMEDIATE, false},
	{0xa3, ANY, APIC_MOV, OFFSET, false},      {0x87, ANY, APIC_XCHG, REGISTER, false},
	{0x01, ANY, APIC_ADD, REGISTER, false},    {0x09, ANY, APIC_OR, REGISTER, false},
	{0x21, ANY, APIC_AND, REGISTER, false},    {0x29, ANY, APIC_SUB, REGISTER, false},
	{0x31, ANY, APIC_XOR, REGISTER, false},    {0x81, 0, APIC_ADD, IMMEDIATE, false},
	{0x83, 0, APIC_ADD, IMMEDIATE_8, true},    {0x81, 1, APIC_OR, IMMEDIATE, false},
	{0x83, 1, APIC_OR, IMMEDIATE_8, true},     {0x81, 4, APIC_AND, IMMEDIATE, false},
	{0x83, 4, APIC_AND, IMMEDIATE_8, true},    {0x81, 5, APIC_SUB, IMMEDIATE, false},
	{0x83, 5, APIC_SUB, IMMEDIATE_8, true},    {0x81, 6, APIC_XOR, IMMEDIATE, false},
	{0x83, 6, APIC_XOR, IMMEDIATE_8, true},    {0xff, 0, APIC_INC, REGISTER, false},
	{0xff, 1, APIC_DEC, REGISTER, false},      {0xf7, 2, APIC_NOT, REGISTER, false},
	{0xf7, 3, APIC_NEG, REGISTER, false},      {0x0fb1, ANY, APIC_CMPXCHG, REGISTER, false},
	{0x0fc1, ANY, APIC_XADD, REGISTER, false}, {0x0fab, ANY, APIC_BTS, REGISTER, true},
	{0x0fba, 5, APIC_BTS, IMMEDIATE_8, true},  {0x0fb3, ANY, APIC_BTR, REGISTER, true},
	{0x0fba, 6, APIC_BTR, IMMEDIATE_8, true},  {0x0fbb, ANY, APIC_BTC, REGISTER, true},
	{0x0fba, 7, APIC_BTC, IMMEDIATE_8, true},  {0xab, ANY, APIC_STOS, STRING, false},
	{0xa5, ANY, APIC_MOVS, STRING, false},
};

static const struct form load_forms[] = {
	{0x8b, ANY, APIC_MOV, REGISTER, false},  {0xa1, ANY, APIC_MOV, OFFSET, false},
	{0x03, ANY, APIC_ADD, REGISTER, false},  {0x0b, ANY, APIC_OR, REGISTER, false},
	{0x23, ANY, APIC_AND, REGISTER, false},  {0x2b, ANY, APIC_SUB, REGISTER, false},
	{0x33, ANY, APIC_XOR, REGISTER, false},  {0x3b, ANY, APIC_CMP_WITH, REGISTER, false},
	{0x39, ANY, APIC_CMP, REGISTER, false},  {0x81, 7, APIC_CMP, IMMEDIATE, false},
	{0x83, 7, APIC_CMP, IMMEDIATE_8, true},  {0x85, ANY, APIC_TEST, REGISTER, false},
	{0xf7, 0, APIC_TEST, IMMEDIATE, false},  {0x0fa3, ANY, APIC_BT, REGISTER, true},
	{0x0fba, 4, APIC_BT, IMMEDIATE_8, true},
};

#define RFLAGS_BY_LAHF    0xd5u
#define RFLAGS_DF         (1u << 10)
#define RFLAGS_OF         (1u << 11)
#define RFLAGS_AF_PF      (1u << 4 | 1u << 2)
#define RFLAGS_ARITHMETIC (RFLAGS_BY_LAHF | RFLAGS_OF)

/* The flags that each operation sets; what the manual leaves undefined with BTS and its like stays.
 */
static const uint32_t flags_set[APIC_OPERATIONS] = {
	[APIC_ADD] = RFLAGS_ARITHMETIC,
	[APIC_OR] = RFLAGS_ARITHMETIC,
	[APIC_AND] = RFLAGS_ARITHMETIC,
	[APIC_SUB] = RFLAGS_ARITHMETIC,
	[APIC_XOR] = RFLAGS_ARITHMETIC,
	[APIC_XADD] = RFLAGS_ARITHMETIC,
	[APIC_CMPXCHG] = RFLAGS_ARITHMETIC,
	[APIC_NEG] = RFLAGS_ARITHMETIC,
	[APIC_INC] = RFLAGS_ARITHMETIC & ~RFLAGS_CF,
	[APIC_DEC] = RFLAGS_ARITHMETIC & ~RFLAGS_CF,
	[APIC_BTS] = RFLAGS_CF,
	[APIC_BTR] = RFLAGS_CF,
	[APIC_BTC] = RFLAGS_CF,
	[APIC_BT] = RFLAGS_CF,
	[APIC_CMP] = RFLAGS_ARITHMETIC,
	[APIC_CMP_WITH] = RFLAGS_ARITHMETIC,
	[APIC_TEST] = RFLAGS_ARITHMETIC,
};

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

static const struct form *find_form(const struct form *forms, unsigned int count,
                                    unsigned int opcode, unsigned int group)
{
	for (unsigned int i = 0; i < count; i++) {
		bool byte = opcode + 1 == forms[i].opcode && !forms[i].no_byte;

		if ((byte || opcode == forms[i].opcode) &&
		    (forms[i].group == ANY || forms[i].group == group))
			return &forms[i];
	}
	return NULL;
}

/* STOS and MOVS may be repeated, which is nothing that is done to an APIC. */
static bool decode_string(const struct vcpu *vcpu, const struct prefixes *prefixes, unsigned int at,
                          struct apic_store *store)
{
	if (store->operation == APIC_MOVS)
		store->from = operand_of_string(vcpu, prefixes);
	else
		store->source = low32(read_gpr(vcpu, GPR_RAX));
	store->length = (uint8_t)at;
	return !prefixes->repeat;
}

/* A2 and A3: the address stands in the instruction, as wide as addresses are. */
static bool decode_offset(const struct vcpu *vcpu, const struct prefixes *prefixes,
                          unsigned int have, unsigned int at, struct apic_store *store)
{
	at += prefixes->address_size;
	store->source = low32(read_gpr(vcpu, GPR_RAX));
	store->length = (uint8_t)at;
	return at <= have;
}

/* All others name their operand by ModRM. */
static bool decode_modrm(const struct vcpu *vcpu, const struct prefixes *prefixes,
                         const uint8_t *bytes, unsigned int have, unsigned int at,
                         enum source source, struct apic_store *store)
{
	unsigned int immediate = 0;
	struct operand operand;

	if (!operand_decode(vcpu, prefixes, bytes, have, at, &operand) || !operand.memory)
		return false;
	at += operand.length;
	store->reg = operand.reg;
	if (store->size == 1 && !prefixes->rex && operand.reg >= AH) {
		store->reg -= AH;
		store->shift = 8;
	}
	if (source == REGISTER) {
		store->source = low32(read_gpr(vcpu, store->reg)) >> store->shift;
	} else {
		immediate = source == IMMEDIATE_8 ? 1 : store->size < 4 ? store->size : 4;
		if (!read_immediate(bytes, have, at, immediate, &store->source))
			return false;
	}
	store->length = (uint8_t)(at + immediate);
	return true;
}

static bool decode_by(const struct form *forms, unsigned int count, const struct vcpu *vcpu,
                      const uint8_t *bytes, unsigned int have, struct apic_store *store)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	const struct form *form;
	struct prefixes prefixes;
	unsigned int at, opcode;

	prefixes_decode(save, bytes, have, &prefixes);
	at = prefixes.length;
	if (at >= have)
		return false;
	opcode = bytes[at++];
	if (opcode == OPCODE_TWO_BYTES && at < have)
		opcode = opcode << 8 | bytes[at++];
	form = find_form(forms, count, opcode, at < have ? bytes[at] >> 3 & 7 : ANY);
	if (!form)
		return false;
	*store = (struct apic_store){
		.operation = form->operation,
		.size = opcode < form->opcode ? 1 : operand_size(save, &prefixes),
		.address_size = prefixes.address_size,
	};
	if (form->source == STRING)
		return decode_string(vcpu, &prefixes, at, store);
	if (form->source == OFFSET)
		return decode_offset(vcpu, &prefixes, have, at, store);
	return decode_modrm(vcpu, &prefixes, bytes, have, at, form->source, store);
}

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

bool apic_decode(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                 struct apic_store *store)
{
	return decode_by(store_forms, COUNT(store_forms), vcpu, bytes, have, store);
}

bool apic_decode_load(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                      struct apic_store *load)
{
	return decode_by(load_forms, COUNT(load_forms), vcpu, bytes, have, load) &&
	       (load->operation == APIC_MOV || load->size <= sizeof(load->source));
}

/* SF, ZF, AF, PF and CF by LAHF, where they stand as in RFLAGS. */
#define EXECUTE(instruction)                                                                       \
	__asm__(instruction "; lahf; seto %1"                                                      \
	        : "+r"(value), "=&q"(overflow), "=&a"(ax)                                          \
	        : "r"(source)                                                                      \
	        : "cc")

/* With 32 bits: what becomes of value, and the flags. */
static uint32_t combine(unsigned int operation, uint32_t value, uint32_t source, uint32_t *flags)
{
	uint32_t ax = 0;
	uint8_t overflow = 0;

	switch (operation) {
	case APIC_ADD:
	case APIC_XADD:
	case APIC_INC:
		EXECUTE("addl %3, %0");
		break;
	case APIC_OR:
		EXECUTE("orl %3, %0");
		break;
	case APIC_AND:
	case APIC_TEST:
		EXECUTE("andl %3, %0");
		break;
	case APIC_SUB:
	case APIC_DEC:
	case APIC_CMPXCHG:
	case APIC_CMP:
	case APIC_CMP_WITH:
		EXECUTE("subl %3, %0");
		break;
	case APIC_XOR:
		EXECUTE("xorl %3, %0");
		break;
	case APIC_NOT:
		value = ~value;
		break;
	case APIC_NEG:
		EXECUTE("negl %0");
		break;
	case APIC_BTS:
		EXECUTE("btsl %3, %0");
		break;
	case APIC_BTR:
		EXECUTE("btrl %3, %0");
		break;
	case APIC_BTC:
		EXECUTE("btcl %3, %0");
		break;
	case APIC_BT:
		EXECUTE("btl %3, %0");
		break;
	default:
		value = source;
		break;
	}
	*flags = (ax >> 8 & RFLAGS_BY_LAHF) | (overflow ? RFLAGS_OF : 0);
	return value;
}

/* CMPXCHG compares the accumulator with memory. */
static void prepare(const struct vcpu *vcpu, const struct apic_store *store, uint32_t *value,
                    uint32_t *source)
{
	if (store->operation == APIC_CMPXCHG) {
		*source = *value;
		*value = low32(read_gpr(vcpu, GPR_RAX));
	} else if (store->operation == APIC_INC || store->operation == APIC_DEC) {
		*source = 1;
	} else if (store->operation >= APIC_BTS) {
		*source %= 8u * store->size;
	}
}

/* 32 bits clear what is above them. */
static void write_part(struct vcpu *vcpu, unsigned int reg, unsigned int shift, unsigned int size,
                       uint32_t value)
{
	uint64_t mask = size >= 4 ? ~0ull : ((1ull << 8 * size) - 1) << shift;

	write_gpr(vcpu, reg, (read_gpr(vcpu, reg) & ~mask) | ((uint64_t)value << shift & mask));
}

/* What an operation makes of value; the guest's flags are set by it. */
static uint32_t operate(struct vcpu *vcpu, const struct apic_store *store, uint32_t value,
                        uint32_t source)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	unsigned int above = store->size < sizeof(value) ? 32 - 8u * store->size : 0;
	uint32_t mask = flags_set[store->operation], flags, low_flags;

	/* AF and PF tell of the lowest byte, the others of the operand's end. */
	combine(store->operation, value << above,
	        store->operation >= APIC_BTS ? source + above : source << above, &flags);
	value = combine(store->operation, value, source, &low_flags);
	flags = (flags & ~RFLAGS_AF_PF) | (low_flags & RFLAGS_AF_PF);
	save->rflags = (save->rflags & ~(uint64_t)mask) | (flags & mask);
	return value;
}

uint32_t apic_execute(struct vcpu *vcpu, const struct apic_store *store, uint32_t old)
{
	unsigned int above = store->size < sizeof(old) ? 32 - 8u * store->size : 0;
	uint32_t value = old, source = store->source;

	if (!apic_reads(store))
		return source;
	prepare(vcpu, store, &value, &source);
	value = operate(vcpu, store, value, source);
	if (store->operation == APIC_CMPXCHG) {
		/* It writes in any case; APM vol. 3. */
		bool same = !(value << above);

		value = same ? store->source : old;
		if (!same)
			write_part(vcpu, GPR_RAX, 0, store->size, old);
	}
	if (store->operation == APIC_XCHG || store->operation == APIC_XADD)
		write_part(vcpu, store->reg, store->shift, store->size, old);
	return value;
}

void apic_load(struct vcpu *vcpu, const struct apic_store *load, uint32_t memory)
{
	uint32_t source = load->source, result = memory;

	if (load->operation == APIC_CMP_WITH || load->operation < APIC_MOV) {
		result = operate(vcpu, load, source, memory);
	} else if (load->operation != APIC_MOV) {
		prepare(vcpu, load, &memory, &source);
		operate(vcpu, load, memory, source);
	}
	if (load->operation <= APIC_MOV)
		write_part(vcpu, load->reg, load->shift, load->size, result);
}

/* As wide as addresses are; 32 bits clear the upper half. */
static void advance(struct vcpu *vcpu, const struct apic_store *store, unsigned int reg)
{
	uint64_t was = read_gpr(vcpu, reg), is;

	is = vcpu->vmcb->save.rflags & RFLAGS_DF ? was - store->size : was + store->size;
	if (store->address_size == 2)
		is = (was & ~0xffffull) | (is & 0xffff);
	else if (store->address_size == 4)
		is = low32(is);
	write_gpr(vcpu, reg, is);
}

void apic_advance(struct vcpu *vcpu, const struct apic_store *store)
{
	if (store->operation != APIC_STOS && store->operation != APIC_MOVS)
		return;
	advance(vcpu, store, GPR_RDI);
	if (store->operation == APIC_MOVS)
		advance(vcpu, store, GPR_RSI);
}
