/*
 * Prefixes, ModRM, SIB and displacement, in all three address sizes. Reads registers and segments
 * of the VMCB in use, and the bases of FS and GS from the processor. Relies on svm/vcpu.h.
 */
#include "svm/decode/operand.h"

enum {
	REX_B = 1 << 0, /* extends ModRM.rm or SIB.base */
	REX_X = 1 << 1, /* extends SIB.index */
	REX_R = 1 << 2, /* extends ModRM.reg */
	MOD_NO_DISPLACEMENT = 0,
	MOD_DISPLACEMENT_8 = 1,
	MOD_REGISTER = 3,
	NO_GPR = GPRS,
};

/* A sum of up to two registers and a number, before it is cut to the address size. */
struct address {
	uint8_t base, index, scale; /* enum gpr, or NO_GPR; the index is shifted by scale */
	bool rip_relative;
	uint8_t displacement; /* bytes */
};

/* Base and index of 16-bit addressing by ModRM.rm; APM vol. 3, appendix A.2. */
static const uint8_t registers_16[8][2] = {
	{GPR_RBX, GPR_RSI}, {GPR_RBX, GPR_RDI}, {GPR_RBP, GPR_RSI}, {GPR_RBP, GPR_RDI},
	{GPR_RSI, NO_GPR},  {GPR_RDI, NO_GPR},  {GPR_RBP, NO_GPR},  {GPR_RBX, NO_GPR},
};

/* ES, CS, SS and DS have no meaning in 64-bit code, and do not cancel FS or GS either. */
static bool read_override(const struct vmcb_save *save, uint8_t byte, uint8_t *segment)
{
	uint8_t named;

	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		named = byte >> 3 & 3;
		break;
	case 0x64:
	case 0x65:
		named = SEGMENT_FS + (byte & 1);
		break;
	default:
		return false;
	}
	if (named >= SEGMENT_FS || !in_64bit_code(save))
		*segment = named;
	return true;
}

void prefixes_decode(const struct vmcb_save *save, const uint8_t *bytes, unsigned int have,
                     struct prefixes *prefixes)
{
	bool other_address_size = false;
	unsigned int at;

	*prefixes = (struct prefixes){.segment = SEGMENT_DEFAULT};
	for (at = 0; at < have; at++) {
		uint8_t byte = bytes[at];

		if (in_64bit_code(save) && (byte & 0xf0) == 0x40) {
			prefixes->rex = byte;
			continue;
		}
		if (byte == 0x66)
			prefixes->operand_size = true;
		else if (byte == 0x67)
			other_address_size = true;
		else if (byte == 0xf2 || byte == 0xf3)
			prefixes->repeat = true;
		else if (byte != 0xf0 && !read_override(save, byte, &prefixes->segment))
			break;
		prefixes->rex = 0; /* it counts right before the opcode only */
	}
	prefixes->length = (uint8_t)at;
	prefixes->address_size = address_size(save, other_address_size);
}

#if defined(NESTLING_HOST_TEST) || !defined(__x86_64__) /* 32-bit guests have none */
#define READ_KEPT(n)         vcpu->gpr[n]
#define WRITE_KEPT(n, value) vcpu->gpr[n] = (value)
#else
#define READ_KEPT(n)                                                                               \
	({                                                                                         \
		uint64_t kept;                                                                     \
		__asm__ volatile("mov %%r" #n ", %0" : "=r"(kept));                                \
		kept;                                                                              \
	})
#define WRITE_KEPT(n, value) __asm__ volatile("mov %0, %%r" #n : : "r"(value))
#endif

/* R12 to R15 are the guest's all the time. */
static uint64_t read_kept(const struct vcpu *vcpu, unsigned int number)
{
	(void)vcpu;
	switch (number) {
	case GPR_R12:
		return READ_KEPT(12);
	case GPR_R13:
		return READ_KEPT(13);
	case GPR_R14:
		return READ_KEPT(14);
	default:
		return READ_KEPT(15);
	}
}

static void write_kept(struct vcpu *vcpu, unsigned int number, uint64_t value)
{
	(void)vcpu;
	switch (number) {
	case GPR_R12:
		WRITE_KEPT(12, value);
		break;
	case GPR_R13:
		WRITE_KEPT(13, value);
		break;
	case GPR_R14:
		WRITE_KEPT(14, value);
		break;
	default:
		WRITE_KEPT(15, value);
		break;
	}
}

static uint64_t gpr(const struct vcpu *vcpu, unsigned int number)
{
	if (number == NO_GPR)
		return 0;
	if (number == GPR_RAX)
		return vcpu->vmcb->save.rax;
	if (number == GPR_RSP)
		return vcpu->vmcb->save.rsp;
	if (number >= GPR_R12)
		return read_kept(vcpu, number);
	return vcpu->gpr[number];
}

uint64_t read_gpr(const struct vcpu *vcpu, unsigned int number)
{
	uint64_t value = gpr(vcpu, number);

	return in_64bit_code(&vcpu->vmcb->save) ? value : low32(value);
}

void write_gpr(struct vcpu *vcpu, unsigned int number, uint64_t value)
{
	struct vmcb_save *save = &vcpu->vmcb->save;

	if (number == GPR_RAX)
		save->rax = value;
	else if (number == GPR_RSP)
		save->rsp = value;
	else if (number >= GPR_R12)
		write_kept(vcpu, number, value);
	else
		vcpu->gpr[number] = value;
}

/* Those of FS and GS stay in the processor while L0 runs: the VMCB's are old. */
static uint64_t segment_base(const struct vmcb_save *save, unsigned int segment)
{
	switch (segment) {
	case SEGMENT_FS:
		return rdmsr(MSR_FS_BASE);
	case SEGMENT_GS:
		return rdmsr(MSR_GS_BASE);
	default:
		break;
	}
	if (in_64bit_code(save))
		return 0;
	switch (segment) {
	case SEGMENT_ES:
		return save->es.base;
	case SEGMENT_CS:
		return save->cs.base;
	case SEGMENT_SS:
		return save->ss.base;
	default:
		return save->ds.base;
	}
}

static struct address read_address_16(uint8_t mod, uint8_t rm)
{
	struct address address = {
		.base = registers_16[rm][0],
		.index = registers_16[rm][1],
		.displacement = mod, /* bytes: 0, 1 or 2 */
	};

	if (mod == MOD_NO_DISPLACEMENT && rm == 6) {
		address.base = NO_GPR;
		address.displacement = 2;
	}
	return address;
}

/* sib: NULL where ModRM asks for none. REX is not looked at to find the special cases. */
static struct address read_address_32(uint8_t mod, uint8_t rm, const uint8_t *sib, uint8_t rex)
{
	uint8_t base = sib ? *sib & 7 : rm;
	struct address address = {
		.base = base | (rex & REX_B) << 3,
		.index = NO_GPR,
		.displacement = mod == MOD_DISPLACEMENT_8 ? 1
	                        : mod                     ? 4
	                                                  : 0,
	};

	if (sib) {
		uint8_t index = (*sib >> 3 & 7) | (rex & REX_X) << 2;

		if (index != GPR_RSP) /* with REX.X it is R12, an index like any */
			address.index = index;
		address.scale = *sib >> 6;
	}
	if (mod == MOD_NO_DISPLACEMENT && base == GPR_RBP) {
		address.base = NO_GPR;
		address.displacement = 4;
		address.rip_relative = !sib;
	}
	return address;
}

/* A little-endian number with a sign, of 0, 1, 2 or 4 bytes. */
static uint64_t read_displacement(const uint8_t *bytes, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	if (size && bytes[size - 1] & 0x80)
		value |= ~0ull << (8 * size);
	return value;
}

/* number: what is added to the registers. */
static void resolve(const struct vcpu *vcpu, const struct prefixes *prefixes,
                    const struct address *address, uint64_t number, struct operand *operand)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	bool of_stack = address->base == GPR_RSP || address->base == GPR_RBP;
	uint64_t sum =
		number + gpr(vcpu, address->base) + (gpr(vcpu, address->index) << address->scale);

	if (prefixes->address_size != 8)
		sum &= (1ull << (8 * prefixes->address_size)) - 1;
	operand->segment = prefixes->segment;
	if (operand->segment == SEGMENT_DEFAULT)
		operand->segment = of_stack ? SEGMENT_SS : SEGMENT_DS;
	operand->linear = sum + segment_base(save, operand->segment);
	if (!in_64bit_code(save))
		operand->linear = low32(operand->linear);
}

bool operand_decode(const struct vcpu *vcpu, const struct prefixes *prefixes, const uint8_t *bytes,
                    unsigned int have, unsigned int at, struct operand *operand)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	const uint8_t *sib = NULL;
	struct address address;
	unsigned int end = at + 1;
	uint8_t mod, rm;
	uint64_t number;

	if (end > have)
		return false;
	mod = bytes[at] >> 6;
	rm = bytes[at] & 7;
	*operand = (struct operand){
		.memory = mod != MOD_REGISTER,
		.reg = (bytes[at] >> 3 & 7) | (prefixes->rex & REX_R) << 1,
		.length = 1,
	};
	if (!operand->memory) {
		operand->rm = rm | (prefixes->rex & REX_B) << 3;
		return true;
	}
	if (prefixes->address_size == 2) {
		address = read_address_16(mod, rm);
	} else {
		if (rm == GPR_RSP) {
			if (end == have)
				return false;
			sib = &bytes[end++];
		}
		address = read_address_32(mod, rm, sib, prefixes->rex);
	}
	if (address.displacement > have - end)
		return false;
	number = read_displacement(bytes + end, address.displacement);
	end += address.displacement;
	operand->length = (uint8_t)(end - at);
	if (address.rip_relative && in_64bit_code(save))
		number += save->rip + end;
	resolve(vcpu, prefixes, &address, number, operand);
	return true;
}

uint64_t operand_of_string(const struct vcpu *vcpu, const struct prefixes *prefixes)
{
	const struct address address = {.base = GPR_RSI, .index = NO_GPR};
	struct operand operand;

	resolve(vcpu, prefixes, &address, 0, &operand);
	return operand.linear;
}
