/*
 * svm/decode/operand.c: encodings as nasm assembles them, in 16-, 32- and 64-bit code; ones that
 * no assembler writes; and every addressing of 64-bit code, compared with what the processor's own
 * LEA makes of it. Relies on cmocka; RDMSR is faked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "svm/vcpu.h"

enum {
	FS_BASE_OLD = 0x12000, /* in the VMCB; what counts is in the processor */
	OPCODE = 2,            /* bytes: 0F 01, INVLPG and the like */
	LONGEST = 15,
};
#define RIP     0xffffffff81234567ull
#define FS_BASE 0x7000f5f50000ull
#define GS_BASE 0xffff888000650000ull

static uint64_t fake_rdmsr(uint32_t msr)
{
	assert_true(msr == MSR_FS_BASE || msr == MSR_GS_BASE);
	return msr == MSR_FS_BASE ? FS_BASE : GS_BASE;
}

#define rdmsr fake_rdmsr
#include "svm/decode/operand.c"

/* Low halves that tell registers apart, high halves that must not show in narrower addresses. */
static const uint64_t registers[GPRS] = {
	[GPR_RAX] = 0x00007f0012340100, [GPR_RCX] = 0x0000111122220203,
	[GPR_RDX] = 0xffff800033330405, [GPR_RBX] = 0x000055554444f807,
	[GPR_RSP] = 0x00007fff5555e009, [GPR_RBP] = 0x000066667777a00b,
	[GPR_RSI] = 0x000011118888900d, [GPR_RDI] = 0x000022229999b00f,
	[GPR_R8] = 0x8000800080008011,  [GPR_R9] = 0x9000900090009013,
	[GPR_R10] = 0xa000a000a000a015, [GPR_R11] = 0xb000b000b000b017,
	[GPR_R12] = 0xc000c000c000c019, [GPR_R13] = 0xd000d000d000d01b,
	[GPR_R14] = 0xe000e000e000e01d, [GPR_R15] = 0xf000f000f000f01f,
};

enum code { CODE16, CODE32, COMPAT16, COMPAT32, CODE64 };

static const struct {
	uint64_t efer;
	uint16_t attributes;
} codes[] = {
	[CODE16] = {0, 0},
	[CODE32] = {0, SEG_ATTR_DB | SEG_ATTR_L}, /* L counts in long mode only */
	[COMPAT16] = {EFER_LMA, 0},
	[COMPAT32] = {EFER_LMA, SEG_ATTR_DB},
	[CODE64] = {EFER_LMA, SEG_ATTR_L},
};

#include "tests/unit/operand_cases.h"

static struct vmcb vmcb;
static struct vcpu vcpu;

static void set_code(enum code code)
{
	vmcb.save.efer = codes[code].efer;
	vmcb.save.cs.attributes = codes[code].attributes;
}

static int guest(void **state)
{
	struct vmcb_save *save = &vmcb.save;

	(void)state;
	memcpy(vcpu.gpr, registers, sizeof(registers));
	vcpu.vmcb = &vmcb;
	vcpu.gpr[GPR_RAX] = vcpu.gpr[GPR_RSP] = 0xbad0bad0bad0bad0; /* these are in the VMCB */
	save->rax = registers[GPR_RAX];
	save->rsp = registers[GPR_RSP];
	save->rip = RIP;
	save->es.base = 0xe0000;
	save->cs.base = 0xc0000;
	save->ss.base = 0x50000000;
	save->ds.base = 0xd0000;
	save->fs.base = save->gs.base = FS_BASE_OLD;
	return 0;
}

/* As the caller does it: prefixes, then an opcode of 0F 01 or 0F 38 xx, then the operand. */
static bool decode_all(const uint8_t *bytes, unsigned int have, struct prefixes *prefixes,
                       struct operand *operand)
{
	unsigned int at;

	prefixes_decode(&vmcb.save, bytes, have, prefixes);
	at = prefixes->length + OPCODE;
	if (at <= have && bytes[at - 1] == 0x38)
		at++;
	return operand_decode(&vcpu, prefixes, bytes, have, at, operand);
}

static unsigned int read_hex(const char *text, uint8_t *bytes)
{
	unsigned int size = 0;

	for (; *text && size < LONGEST; text += 3) {
		bytes[size++] = (uint8_t)strtoul(text, NULL, 16);
		if (!text[2])
			break;
	}
	return size;
}

static void memory_operands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[LONGEST] = {0};
		unsigned int size = read_hex(cases[i].bytes, bytes), at, end;
		struct prefixes prefixes;
		struct operand operand;

		set_code(cases[i].code);
		assert_true(decode_all(bytes, size, &prefixes, &operand));
		at = prefixes.length;
		end = at + OPCODE + (bytes[at + 1] == 0x38) + operand.length;
		if (!operand.memory || operand.linear != cases[i].linear ||
		    operand.segment != cases[i].segment || bytes[at] != 0x0f || end != size)
			fail_msg("%s: %llx in segment %d, length %d", cases[i].text,
			         (unsigned long long)operand.linear, operand.segment,
			         operand.length);
		/* The same when more was fetched. */
		assert_true(decode_all(bytes, LONGEST, &prefixes, &operand));
		assert_int_equal(operand.linear, cases[i].linear);
	}
}

/* Bytes that end early, in a block of just that size, for the sanitizer to see a read too far. */
static void too_few_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[LONGEST];
		unsigned int size = read_hex(cases[i].bytes, bytes);

		set_code(cases[i].code);
		for (unsigned int have = 1; have < size; have++) {
			uint8_t *few = malloc(have);
			struct prefixes prefixes;
			struct operand operand;

			assert_non_null(few);
			memcpy(few, bytes, have);
			if (decode_all(few, have, &prefixes, &operand))
				fail_msg("%s: %u bytes are enough", cases[i].text, have);
			assert_true(prefixes.length <= have);
			free(few);
		}
	}
}

static void register_operands(void **state)
{
	static const struct {
		enum code code;
		uint8_t bytes[5];
		enum gpr rm;
		uint8_t reg;
		bool operand_size;
	} operands[] = {
		{CODE64, {0x0f, 0x01, 0xe0}, GPR_RAX, 4, false},             /* smsw eax */
		{CODE64, {0x48, 0x0f, 0x01, 0xe4}, GPR_RSP, 4, false},       /* smsw rsp */
		{CODE64, {0x66, 0x41, 0x0f, 0x01, 0xe4}, GPR_R12, 4, true},  /* smsw r12w */
		{CODE64, {0x41, 0x0f, 0x01, 0xf7}, GPR_R15, 6, false},       /* lmsw r15w */
		{CODE64, {0x44, 0x0f, 0x01, 0xf3}, GPR_RBX, 6 | 8, false},   /* REX.R: lmsw bx */
		{CODE32, {0x66, 0x0f, 0x01, 0xe5}, GPR_RBP, 4, true},        /* smsw bp */
		{CODE32, {0x64, 0x67, 0x0f, 0x01, 0xf2}, GPR_RDX, 6, false}, /* fs a16 lmsw dx */
		{CODE16, {0x0f, 0x01, 0xf6}, GPR_RSI, 6, false},             /* lmsw si */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operands) / sizeof(*operands); i++) {
		struct prefixes prefixes;
		struct operand operand;

		set_code(operands[i].code);
		assert_true(decode_all(operands[i].bytes, 5, &prefixes, &operand));
		assert_false(operand.memory);
		assert_int_equal(operand.rm, operands[i].rm);
		assert_int_equal(operand.reg, operands[i].reg);
		assert_int_equal(operand.length, 1);
		assert_int_equal(prefixes.operand_size, operands[i].operand_size);
	}
}

static void prefixes_alone(void **state)
{
	static const uint8_t bytes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x65, 0x4d, 0x0f};
	static const uint8_t sizes[][2] = {
		[CODE16] = {2, 4},   [CODE32] = {4, 2}, [COMPAT16] = {2, 4},
		[COMPAT32] = {4, 2}, [CODE64] = {8, 4},
	};
	struct prefixes prefixes;

	(void)state;
	for (enum code code = CODE16; code <= CODE64; code++) {
		set_code(code);
		prefixes_decode(&vmcb.save, bytes, 0, &prefixes);
		assert_int_equal(prefixes.length, 0);
		assert_int_equal(prefixes.address_size, sizes[code][0]);
		assert_int_equal(prefixes.segment, SEGMENT_DEFAULT);
		assert_false(prefixes.operand_size);
		prefixes_decode(&vmcb.save, bytes, sizeof(bytes), &prefixes);
		assert_int_equal(prefixes.address_size, sizes[code][1]);
		assert_int_equal(prefixes.segment, SEGMENT_GS);
		assert_true(prefixes.operand_size);
		/* 4Dh is DEC EBP elsewhere. */
		assert_int_equal(prefixes.length, code == CODE64 ? 7 : 6);
		assert_int_equal(prefixes.rex, code == CODE64 ? 0x4d : 0);
		prefixes_decode(&vmcb.save, bytes, 3, &prefixes);
		assert_int_equal(prefixes.length, 3);
	}
}

/* Code that loads all registers but RSP, which it stores, and then has room for a LEA to RAX. */
struct lea {
	uint8_t *code, *at;
	uint64_t rsp;
};

static void emit(struct lea *lea, const void *bytes, size_t size)
{
	memcpy(lea->at, bytes, size);
	lea->at += size;
}

static void emit_load(struct lea *lea, enum gpr reg, uint64_t value)
{
	uint8_t mov[2] = {reg >= GPR_R8 ? 0x49 : 0x48, 0xb8 | (reg & 7)};

	emit(lea, mov, sizeof(mov));
	emit(lea, &value, sizeof(value));
}

static void emit_prologue(struct lea *lea)
{
	/* push rbx, rbp, r12, r13, r14, r15 */
	static const uint8_t push[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
	static const uint8_t store_rsp[] = {0x48, 0x89, 0x20}; /* mov [rax], rsp */

	lea->at = lea->code;
	emit(lea, push, sizeof(push));
	emit_load(lea, GPR_RAX, (uint64_t)&lea->rsp);
	emit(lea, store_rsp, sizeof(store_rsp));
	for (enum gpr reg = GPR_RAX; reg < GPRS; reg++) {
		if (reg != GPR_RSP)
			emit_load(lea, reg, registers[reg]);
	}
}

/* What the processor makes of the address; size: of the whole instruction. */
static uint64_t run(const struct lea *lea, const uint8_t *instruction, unsigned int size)
{
	/* pop them again, ret */
	static const uint8_t end[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d,
	                              0x41, 0x5c, 0x5d, 0x5b, 0xc3};
	uint64_t (*code)(void);

	memcpy(lea->at, instruction, size);
	memcpy(lea->at + size, end, sizeof(end));
	memcpy(&code, &lea->code, sizeof(code));
	return code();
}

/* [67] REX.W+rex 8D /r [SIB] disp. */
static void compare(const struct lea *lea, bool narrow, uint8_t rex, uint8_t modrm, uint8_t sib)
{
	static const uint8_t displacement[] = {0x9a, 0x78, 0x56, 0xb4};
	uint8_t bytes[LONGEST] = {0};
	struct prefixes prefixes;
	struct operand operand;
	unsigned int at = 0, size;
	uint64_t expected;

	if (narrow)
		bytes[at++] = 0x67;
	bytes[at++] = 0x48 | rex;
	bytes[at++] = 0x8d;
	size = at;
	bytes[size++] = modrm;
	if ((modrm & 7) == 4)
		bytes[size++] = sib;
	memcpy(bytes + size, displacement, sizeof(displacement));
	prefixes_decode(&vmcb.save, bytes, sizeof(bytes), &prefixes);
	assert_true(operand_decode(&vcpu, &prefixes, bytes, sizeof(bytes), at, &operand));
	expected = run(lea, bytes, at + operand.length);
	vmcb.save.rip = (uint64_t)lea->at;
	vmcb.save.rsp = lea->rsp;
	assert_true(operand_decode(&vcpu, &prefixes, bytes, at + operand.length, at, &operand));
	if (operand.linear != expected)
		fail_msg("67 %d, REX %02x, ModRM %02x, SIB %02x: %llx, not %llx", narrow, rex,
		         modrm, sib, (unsigned long long)operand.linear,
		         (unsigned long long)expected);
}

static void as_the_processor(void **state)
{
	struct lea lea;
	unsigned int compared = 0;

	(void)state;
	lea.code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(lea.code != MAP_FAILED);
	emit_prologue(&lea);
	set_code(CODE64);
	for (unsigned int form = 0; form < 2 * 4 * 3 * 8; form++) {
		bool narrow = form & 1;
		uint8_t rex = form >> 1 & 3; /* B and X; R would name another target */
		uint8_t rm = form >> 3 & 7, mod = (uint8_t)(form >> 6);

		for (unsigned int sib = 0; sib < (rm == 4 ? 256 : 1); sib++, compared++)
			compare(&lea, narrow, rex, (uint8_t)(mod << 6 | rm), (uint8_t)sib);
	}
	assert_int_equal(compared, 2 * 4 * 3 * (7 + 256));
	munmap(lea.code, PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_operands, guest),
		cmocka_unit_test_setup(too_few_bytes, guest),
		cmocka_unit_test_setup(register_operands, guest),
		cmocka_unit_test_setup(prefixes_alone, guest),
		cmocka_unit_test_setup(as_the_processor, guest),
	};

	return cmocka_run_group_tests_name("operand", tests, NULL, NULL);
}
