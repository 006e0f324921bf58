/*
 * svm/apic/decode.c: stores as nasm assembles them in 16-, 32- and 64-bit code, what is none of
 * them, and what they do to registers and flags, compared with the processor. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static uint64_t fake_rdmsr(uint32_t msr)
{
	(void)msr;
	return 0;
}

#define rdmsr fake_rdmsr
#include "svm/apic/decode.c"
#include "svm/decode/operand.c"

enum code { CODE16, CODE32, CODE64 };

#include "tests/unit/apic_cases.h"

static struct vmcb vmcb;
static struct vcpu vcpu = {.vmcb = &vmcb};

static uint64_t value_of(unsigned int reg)
{
	return 0xdead000080000100 + reg;
}

static int guest(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < GPRS; i++)
		vcpu.gpr[i] = value_of(i);
	vmcb.save.rax = value_of(GPR_RAX);
	vmcb.save.rsp = value_of(GPR_RSP);
	vcpu.gpr[GPR_RAX] = vcpu.gpr[GPR_RSP] = 0xbad0bad0bad0bad0; /* these are in the VMCB */
	return 0;
}

static void set_code(enum code code)
{
	vmcb.save.efer = code == CODE64 ? EFER_LMA : 0;
	vmcb.save.cs.attributes = code == CODE64 ? SEG_ATTR_L : code == CODE32 ? SEG_ATTR_DB : 0;
}

static void known_stores(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stores) / sizeof(*stores); i++) {
		uint32_t source =
			stores[i].reg == NO_REGISTER
				? stores[i].immediate
				: (uint32_t)value_of(stores[i].reg) >> stores[i].immediate;
		uint8_t bytes[LONGEST];
		struct apic_store store;

		memset(bytes, 0xcc, sizeof(bytes));
		memcpy(bytes, stores[i].bytes, stores[i].length);
		set_code(stores[i].code);
		if (!apic_decode(&vcpu, bytes, sizeof(bytes), &store) ||
		    store.length != stores[i].length || store.size != stores[i].size ||
		    store.operation != stores[i].operation || store.source != source ||
		    (stores[i].reg != NO_REGISTER && store.shift != stores[i].immediate) ||
		    (store.operation == APIC_XCHG && store.reg != stores[i].reg))
			fail_msg("%s: operation %d, length %d, size %d, source %x", stores[i].text,
			         store.operation, store.length, store.size, store.source);
		assert_true(apic_decode(&vcpu, stores[i].bytes, stores[i].length, &store));
	}
}

/* The bytes are on the heap for their number, so that reading beyond them shows. */
static void too_few_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stores) / sizeof(*stores); i++) {
		for (uint8_t have = 0; have < stores[i].length; have++) {
			uint8_t *bytes = test_malloc(have);
			struct apic_store store;

			memcpy(bytes, stores[i].bytes, have);
			set_code(stores[i].code);
			if (apic_decode(&vcpu, bytes, have, &store))
				fail_msg("%s: %d bytes are enough", stores[i].text, have);
			test_free(bytes);
		}
	}
}

static void other_instructions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct apic_store store;

		set_code(others[i].code);
		if (apic_decode(&vcpu, others[i].bytes, LONGEST, &store))
			fail_msg("%s is taken for a store", others[i].text);
	}
}

/* With an operand in memory and 0 in ModRM.reg: those that are known, and no more. */
static void check_opcodes(const uint8_t *prefix, const uint8_t *known, size_t count)
{
	unsigned int found = 0;

	set_code(CODE64);
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		uint8_t bytes[LONGEST] = {(uint8_t)opcode};
		bool is_known = memchr(known, (int)opcode, count) != NULL;
		struct apic_store store;

		if (!prefix && ((opcode & 0xf0) == 0x40 || opcode == 0x66 || opcode == 0x67 ||
		                (opcode & 0xe7) == 0x26 || opcode == 0x64 || opcode == 0x65 ||
		                opcode == 0xf0 || opcode == 0xf2 || opcode == 0xf3))
			continue; /* prefixes */
		if (prefix) {
			bytes[0] = *prefix;
			bytes[1] = (uint8_t)opcode;
		}
		assert_int_equal(apic_decode(&vcpu, bytes, sizeof(bytes), &store), is_known);
		found += is_known;
	}
	assert_int_equal(found, count);
}

static void all_opcodes(void **state)
{
	static const uint8_t one_byte[] = {0x00, 0x01, 0x08, 0x09, 0x20, 0x21, 0x28, 0x29, 0x30,
	                                   0x31, 0x80, 0x81, 0x83, 0x86, 0x87, 0x88, 0x89, 0xa2,
	                                   0xa3, 0xa4, 0xa5, 0xaa, 0xab, 0xc6, 0xc7, 0xfe, 0xff};
	static const uint8_t two_bytes[] = {0xab, 0xb0, 0xb1, 0xb3, 0xbb, 0xc0, 0xc1},
			     prefix = 0x0f;

	(void)state;
	check_opcodes(NULL, one_byte, sizeof(one_byte));
	check_opcodes(&prefix, two_bytes, sizeof(two_bytes));
}

static void exchange(void **state)
{
	struct apic_store store = {.operation = APIC_XCHG, .size = 4, .reg = GPR_RAX, .source = 5};

	(void)state;
	vmcb.save.rflags = 0x8d7;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vmcb.save.rax == 0x87654321);
	store.reg = GPR_R12;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vcpu.gpr[GPR_R12] == 0x87654321);
	store.size = 2;
	assert_int_equal(apic_execute(&vcpu, &store, 0x1234) & 0xffff, 5);
	assert_true(vcpu.gpr[GPR_R12] == 0x87651234);
	store.size = 1;
	assert_int_equal(apic_execute(&vcpu, &store, 0x56) & 0xff, 5);
	assert_true(vcpu.gpr[GPR_R12] == 0x87651256);
	store.shift = 8;
	assert_int_equal(apic_execute(&vcpu, &store, 0x78) & 0xff, 5);
	assert_true(vcpu.gpr[GPR_R12] == 0x87657856);
	store.operation = APIC_MOV;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vmcb.save.rflags == 0x8d7);
	assert_false(apic_reads(&store));
}

/* By its definition; APM vol. 3, and vol. 1 section 3.1.4 for the flags. */
static void check_arithmetic(uint8_t size, uint8_t operation, uint32_t old, uint32_t source,
                             uint64_t before)
{
	struct apic_store store = {
		.operation = operation, .size = size, .source = source, .reg = GPR_R12};
	bool plus = operation == APIC_ADD || operation == APIC_XADD || operation == APIC_INC;
	bool minus = operation == APIC_SUB || operation == APIC_DEC || operation == APIC_NEG ||
	             operation == APIC_CMPXCHG;
	bool by_one = operation == APIC_INC || operation == APIC_DEC, carry, adjust, overflow;
	uint32_t mask = size == 4 ? 0xffffffff : (1u << 8 * size) - 1, top = (mask >> 1) + 1;
	uint32_t a = old & mask, b = by_one ? 1 : source & mask, value, result;
	uint64_t flags, accumulator = value_of(GPR_RAX) << 32 | source, kept;

	if (operation == APIC_NEG) {
		a = 0;
		b = old & mask;
	}
	if (operation == APIC_CMPXCHG) { /* of EAX, source as well, and memory */
		vmcb.save.rax = accumulator;
		store.source = ~source;
		a = source & mask;
		b = old & mask;
	}
	value = plus                    ? a + b
	        : minus                 ? a - b
	        : operation == APIC_OR  ? a | b
	        : operation == APIC_AND ? a & b
	                                : a ^ b;
	value &= mask;
	carry = (plus && value < a) || (minus && a < b);
	adjust = (plus && (a & 15) + (b & 15) > 15) || (minus && (a & 15) < (b & 15));
	overflow = (plus && (~(a ^ b) & (a ^ value) & top)) ||
	           (minus && ((a ^ b) & (a ^ value) & top));
	if (by_one)
		carry = before & 1;
	result = operation != APIC_CMPXCHG ? value : a == b ? ~source : old;

	assert_true(apic_reads(&store));
	vmcb.save.rflags = before;
	vcpu.gpr[GPR_R12] = value_of(GPR_R12);
	assert_int_equal(apic_execute(&vcpu, &store, old & mask) & mask, result & mask);
	flags = 0x202 | carry | (uint64_t)overflow << 11;
	flags |= (uint64_t) !(__builtin_popcount(value & 0xff) & 1) << 2;
	flags |= (uint64_t)!value << 6 | (uint64_t) !!(value & top) << 7;
	if (plus || minus)
		flags |= (uint64_t)adjust << 4;
	else
		vmcb.save.rflags &= ~0x10ull; /* AF is undefined */
	if (vmcb.save.rflags != flags)
		fail_msg("%d bytes: %x %d %x: flags %llx, not %llx", size, old, operation, source,
		         (unsigned long long)vmcb.save.rflags, (unsigned long long)flags);
	kept = size == 4 ? 0 : ~(uint64_t)mask;
	if (operation == APIC_XADD)
		assert_true(vcpu.gpr[GPR_R12] == ((value_of(GPR_R12) & kept) | (old & mask)));
	if (operation == APIC_CMPXCHG)
		assert_true(vmcb.save.rax ==
		            (a == b ? accumulator : (accumulator & kept) | (old & mask)));
}

static void arithmetic(void **state)
{
	static const uint32_t values[] = {0,          1,          0xf,    0x10,   0x7f,
	                                  0x80,       0xff,       0x7fff, 0x8000, 0x7fffffff,
	                                  0x80000000, 0xffffffff, 0xc4500};
	static const uint8_t operations[] = {APIC_ADD, APIC_OR,  APIC_AND,     APIC_SUB, APIC_XOR,
	                                     APIC_INC, APIC_DEC, APIC_CMPXCHG, APIC_NEG, APIC_XADD};
	enum { COUNT = sizeof(values) / sizeof(*values) };

	(void)state;
	for (unsigned int i = 0; i < COUNT * COUNT * sizeof(operations); i++) {
		for (unsigned int set = 0; set < 6; set++) /* IF stays */
			check_arithmetic((uint8_t)(1 << set % 3), operations[i / (COUNT * COUNT)],
			                 values[i % COUNT], values[i / COUNT % COUNT],
			                 set & 1 ? 0xad7 : 0x202);
	}
}

/* Loads: which they are, of how many bytes, and that their flags are those of stores. */
static void loads(void **state)
{
	static const struct {
		enum code code;
		uint8_t bytes[LONGEST], length, operation, size, reg;
		uint32_t source;
	} known[] = {
		{CODE32, {0xa1, 0x80, 0x00, 0xe0, 0xfe}, 5, APIC_MOV, 4, GPR_RAX, 0},
		{CODE32, {0xa0, 0x80, 0x00, 0xe0, 0xfe}, 5, APIC_MOV, 1, GPR_RAX, 0},
		{CODE32, {0x8b, 0x0d, 0x80, 0x00, 0xe0, 0xfe}, 6, APIC_MOV, 4, GPR_RCX, 0},
		{CODE32, {0x8a, 0x23}, 2, APIC_MOV, 1, GPR_RAX, 0}, /* AH */
		{CODE32, {0x66, 0x8b, 0x13}, 3, APIC_MOV, 2, GPR_RDX, 0},
		{CODE64, {0x44, 0x8b, 0x20}, 3, APIC_MOV, 4, GPR_R12, 0},
		{CODE64, {0x48, 0x8b, 0x08}, 3, APIC_MOV, 8, GPR_RCX, 0},
		{CODE64, {0x23, 0x10}, 2, APIC_AND, 4, GPR_RDX, 0},
		{CODE64, {0x3b, 0x10}, 2, APIC_CMP_WITH, 4, GPR_RDX, 0},
		{CODE64, {0x39, 0x10}, 2, APIC_CMP, 4, GPR_RDX, 0},
		{CODE64, {0x83, 0x38, 0xff}, 3, APIC_CMP, 4, GPR_RDI, 0xffffffff},
		{CODE64, {0x80, 0x38, 0x10}, 3, APIC_CMP, 1, GPR_RDI, 0x10},
		{CODE64, {0xf7, 0x00, 0x00, 0x10, 0, 0}, 6, APIC_TEST, 4, 0, 0x1000},
		{CODE64, {0x85, 0x10}, 2, APIC_TEST, 4, GPR_RDX, 0},
		{CODE64, {0x0f, 0xba, 0x20, 0x0c}, 4, APIC_BT, 4, 4, 0xc},
	};
	static const uint8_t others[][LONGEST] = {
		{0x89, 0x10},       {0xff, 0x30}, {0x48, 0x3b, 0x10}, {0x83, 0x20, 0xff},
		{0x0f, 0xba, 0x28}, {0xf7, 0x10}, {0x8b, 0xc0},       {0x48, 0x85, 0x10},
		{0xc7, 0x00},       {0x0f, 0xa2},
	};
	struct apic_store load;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		set_code(known[i].code);
		assert_true(apic_decode_load(&vcpu, known[i].bytes, LONGEST, &load));
		assert_int_equal(load.length, known[i].length);
		assert_int_equal(load.operation, known[i].operation);
		assert_int_equal(load.size, known[i].size);
		if (known[i].source)
			assert_int_equal(load.source, known[i].source);
		else
			assert_int_equal(load.reg, known[i].reg);
		assert_false(apic_decode(&vcpu, known[i].bytes, LONGEST, &load));
	}
	set_code(CODE64);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(apic_decode_load(&vcpu, others[i], LONGEST, &load));
}

/* What loads do, by what the same operation does as a store. */
static void loaded(void **state)
{
	static const uint8_t stores_of[APIC_OPERATIONS] = {
		[APIC_ADD] = APIC_ADD,      [APIC_OR] = APIC_OR,   [APIC_AND] = APIC_AND,
		[APIC_SUB] = APIC_SUB,      [APIC_XOR] = APIC_XOR, [APIC_CMP] = APIC_SUB,
		[APIC_CMP_WITH] = APIC_SUB, [APIC_TEST] = APIC_AND};
	static const uint8_t operations[] = {APIC_ADD, APIC_OR,  APIC_AND,      APIC_SUB,
	                                     APIC_XOR, APIC_CMP, APIC_CMP_WITH, APIC_TEST};
	static const uint32_t values[] = {0, 1, 0x80, 0xff, 0x8000, 0x7fffffff, 0xffffffff};
	enum { VALUES = sizeof(values) / sizeof(*values) };

	(void)state;
	for (unsigned int i = 0; i < VALUES * VALUES * sizeof(operations) * 3; i++) {
		uint8_t operation = operations[i / VALUES / VALUES % sizeof(operations)];
		uint8_t size = (uint8_t)(1 << i / VALUES / VALUES / sizeof(operations));
		uint32_t of_reg = values[i % VALUES], memory = values[i / VALUES % VALUES], result;
		bool from_reg = operation < APIC_MOV || operation == APIC_CMP_WITH;
		struct apic_store load = {
			.operation = operation, .size = size, .reg = GPR_R12, .source = of_reg};
		struct apic_store as_store = load;
		uint64_t mask = size == 4 ? ~0ull : (1ull << 8 * size) - 1, flags;

		as_store.operation = stores_of[operation];
		as_store.source = from_reg ? memory : of_reg;
		vmcb.save.rflags = 0x202;
		result = apic_execute(&vcpu, &as_store, from_reg ? of_reg : memory);
		flags = vmcb.save.rflags;
		vmcb.save.rflags = 0x202;
		vcpu.gpr[GPR_R12] = value_of(GPR_R12);
		apic_load(&vcpu, &load, memory);
		assert_int_equal(vmcb.save.rflags, flags);
		if (operation < APIC_MOV)
			assert_true(vcpu.gpr[GPR_R12] ==
			            ((value_of(GPR_R12) & ~mask) | (result & mask)));
		else
			assert_true(vcpu.gpr[GPR_R12] == value_of(GPR_R12));
	}
	for (uint32_t bit = 0; bit < 64; bit++) {
		struct apic_store load = {.operation = APIC_BT, .size = 4, .source = bit};

		vmcb.save.rflags = 0x202;
		apic_load(&vcpu, &load, 0x00c45001);
		assert_int_equal(vmcb.save.rflags & 1, 0x00c45001u >> bit % 32 & 1);
	}
}

/* MOV: flags stay, 8 bytes are what the register's 4 are and zeros, AH is AH. */
static void moved(void **state)
{
	struct apic_store load = {.operation = APIC_MOV, .size = 8, .reg = GPR_RAX};

	(void)state;
	vmcb.save.rflags = 0x8d7;
	apic_load(&vcpu, &load, 0x87654321);
	assert_true(vmcb.save.rax == 0x87654321);
	load.size = 1;
	load.shift = 8;
	apic_load(&vcpu, &load, 0x55);
	assert_true(vmcb.save.rax == 0x87655521);
	load.size = 2;
	load.shift = 0;
	apic_load(&vcpu, &load, 0x1234);
	assert_true(vmcb.save.rax == 0x87651234);
	assert_true(vmcb.save.rflags == 0x8d7);
}

static void bits(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++) {
		unsigned int size = bit & 2 ? 4 : 2;

		for (unsigned int operation = APIC_BTS; operation <= APIC_BTC; operation++) {
			struct apic_store store = {.operation = (uint8_t)operation,
			                           .size = (uint8_t)size,
			                           .source = bit};
			uint32_t old = 0x4500, mask = 1u << bit % (8 * size);
			uint32_t value = operation == APIC_BTS   ? old | mask
			                 : operation == APIC_BTR ? old & ~mask
			                                         : old ^ mask;

			vmcb.save.rflags = bit & 1 ? 0x202 : 0xad7;
			assert_int_equal(apic_execute(&vcpu, &store, old), value);
			assert_int_equal(vmcb.save.rflags,
			                 (bit & 1 ? 0x202 : 0xad6) | !!(old & mask));
		}
	}
}

static void complement(void **state)
{
	struct apic_store store = {.operation = APIC_NOT, .size = 4};

	(void)state;
	vmcb.save.rflags = 0x8d7;
	assert_int_equal(apic_execute(&vcpu, &store, 0x12345678), 0xedcba987);
	assert_int_equal(vmcb.save.rflags, 0x8d7);
	assert_true(apic_reads(&store));
}

static void strings(void **state)
{
	static const uint8_t movs[] = {0xa5}, stos[] = {0x67, 0xab};
	struct apic_store store;

	(void)state;
	set_code(CODE32);
	vmcb.save.ds.base = 0x10;
	assert_true(apic_decode(&vcpu, movs, sizeof(movs), &store));
	assert_int_equal(store.from, (uint32_t)value_of(GPR_RSI) + 0x10);
	assert_false(apic_reads(&store));
	vmcb.save.rflags = 0x8d7;
	store.source = 0x1234;
	assert_int_equal(apic_execute(&vcpu, &store, 5), 0x1234);
	assert_int_equal(vmcb.save.rflags, 0x8d7);
	apic_advance(&vcpu, &store);
	assert_int_equal(vcpu.gpr[GPR_RDI], (uint32_t)value_of(GPR_RDI) + 4);
	assert_int_equal(vcpu.gpr[GPR_RSI], (uint32_t)value_of(GPR_RSI) + 4);

	/* Down, and around the end of 16 bits. */
	assert_true(apic_decode(&vcpu, stos, sizeof(stos), &store));
	assert_false(apic_reads(&store));
	vmcb.save.rflags |= 1 << 10;
	vcpu.gpr[GPR_RDI] = 0x50002;
	apic_advance(&vcpu, &store);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0x5fffe);
	assert_int_equal(vcpu.gpr[GPR_RSI], (uint32_t)value_of(GPR_RSI) + 4);

	set_code(CODE64);
	assert_true(apic_decode(&vcpu, movs, sizeof(movs), &store));
	assert_int_equal(store.from, vcpu.gpr[GPR_RSI]);
	vcpu.gpr[GPR_RDI] = 0x1000000002;
	apic_advance(&vcpu, &store);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0xffffffffe);

	store.operation = APIC_MOV;
	apic_advance(&vcpu, &store);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0xffffffffe);
	vmcb.save.ds.base = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(known_stores, guest),
		cmocka_unit_test_setup(too_few_bytes, guest),
		cmocka_unit_test_setup(other_instructions, guest),
		cmocka_unit_test_setup(all_opcodes, guest),
		cmocka_unit_test_setup(exchange, guest),
		cmocka_unit_test_setup(arithmetic, guest),
		cmocka_unit_test_setup(loads, guest),
		cmocka_unit_test_setup(loaded, guest),
		cmocka_unit_test_setup(moved, guest),
		cmocka_unit_test_setup(bits, guest),
		cmocka_unit_test_setup(complement, guest),
		cmocka_unit_test_setup(strings, guest),
	};

	return cmocka_run_group_tests_name("apic_decode", tests, NULL, NULL);
}
