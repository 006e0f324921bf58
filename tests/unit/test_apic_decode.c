/*
 * svm/apic_decode.c: stores as nasm assembles them in 16-, 32- and 64-bit code, what is none of
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
#include "svm/apic_decode.c"
#include "svm/operand.c"

enum code { CODE16, CODE32, CODE64 };

#include "tests/unit/apic_cases.h"

static struct vmcb vmcb;
static struct vcpu vcpu = {.vmcb = &vmcb};

uint64_t read_gpr(const struct vcpu *of, unsigned int number)
{
	return gpr(of, number);
}

void write_gpr(struct vcpu *of, unsigned int number, uint64_t value)
{
	if (number == GPR_RAX)
		vmcb.save.rax = value;
	else
		of->gpr[number] = value;
}

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
		uint32_t source = stores[i].reg == NO_REGISTER ? stores[i].immediate
		                                               : (uint32_t)value_of(stores[i].reg);
		uint8_t bytes[LONGEST];
		struct apic_store store;

		memset(bytes, 0xcc, sizeof(bytes));
		memcpy(bytes, stores[i].bytes, stores[i].length);
		set_code(stores[i].code);
		if (!apic_decode(&vcpu, bytes, sizeof(bytes), &store) ||
		    store.length != stores[i].length || store.size != stores[i].size ||
		    store.operation != stores[i].operation || store.source != source ||
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

/* Every opcode of one byte, with an operand in memory: those that are known, and no more. */
static void all_opcodes(void **state)
{
	static const uint8_t known[] = {0x01, 0x09, 0x21, 0x29, 0x31, 0x81, 0x83,
	                                0x87, 0x88, 0x89, 0xa2, 0xa3, 0xc6, 0xc7};
	unsigned int found = 0;

	(void)state;
	set_code(CODE64);
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		uint8_t bytes[LONGEST] = {(uint8_t)opcode};
		struct apic_store store;

		if ((opcode & 0xf0) == 0x40 || opcode == 0x66 || opcode == 0x67 ||
		    (opcode & 0xe7) == 0x26 || opcode == 0x64 || opcode == 0x65 || opcode == 0xf0 ||
		    opcode == 0xf2 || opcode == 0xf3)
			continue; /* prefixes */
		assert_int_equal(apic_decode(&vcpu, bytes, sizeof(bytes), &store),
		                 memchr(known, (int)opcode, sizeof(known)) != NULL);
		found += memchr(known, (int)opcode, sizeof(known)) != NULL;
	}
	assert_int_equal(found, sizeof(known));
}

static void exchange(void **state)
{
	struct apic_store store = {.operation = APIC_XCHG, .reg = GPR_RAX, .source = 5};

	(void)state;
	vmcb.save.rflags = 0x8d7;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vmcb.save.rax == 0x87654321);
	store.reg = GPR_R12;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vcpu.gpr[GPR_R12] == 0x87654321);
	store.operation = APIC_MOV;
	assert_int_equal(apic_execute(&vcpu, &store, 0x87654321), 5);
	assert_true(vmcb.save.rflags == 0x8d7);
	assert_false(apic_reads(&store));
}

/* By its definition; APM vol. 3, and vol. 1 section 3.1.4 for the flags. */
static void arithmetic(void **state)
{
	static const uint32_t values[] = {0,          1,          0xf,        0x10,
	                                  0x7fffffff, 0x80000000, 0xffffffff, 0xc4500};
	static const uint8_t operations[] = {APIC_ADD, APIC_OR, APIC_AND, APIC_SUB, APIC_XOR};
	enum { COUNT = sizeof(values) / sizeof(*values) };

	(void)state;
	for (unsigned int i = 0; i < COUNT * COUNT * sizeof(operations); i++) {
		uint32_t old = values[i % COUNT], source = values[i / COUNT % COUNT], value = 0;
		struct apic_store store = {.operation = operations[i / (COUNT * COUNT)],
		                           .source = source};
		uint64_t flags, wide;
		bool carry = false, adjust = false, overflow = false;

		switch (store.operation) {
		case APIC_ADD:
			wide = (uint64_t)old + source;
			value = (uint32_t)wide;
			carry = wide >> 32;
			adjust = (old & 15) + (source & 15) > 15;
			overflow = (int64_t)(int32_t)old + (int32_t)source != (int32_t)value;
			break;
		case APIC_SUB:
			value = old - source;
			carry = old < source;
			adjust = (old & 15) < (source & 15);
			overflow = (int64_t)(int32_t)old - (int32_t)source != (int32_t)value;
			break;
		case APIC_OR:
			value = old | source;
			break;
		case APIC_AND:
			value = old & source;
			break;
		default:
			value = old ^ source;
			break;
		}
		assert_true(apic_reads(&store));
		vmcb.save.rflags = i & 1 ? 0x202 : 0xad7; /* IF stays */
		assert_int_equal(apic_execute(&vcpu, &store, old), value);
		flags = 0x202 | carry | (uint64_t)overflow << 11;
		flags |= (uint64_t) !(__builtin_popcount(value & 0xff) & 1) << 2;
		flags |= (uint64_t)!value << 6 | (uint64_t)(value >> 31) << 7;
		if (store.operation == APIC_ADD || store.operation == APIC_SUB)
			flags |= (uint64_t)adjust << 4;
		else
			vmcb.save.rflags &= ~0x10ull; /* AF is undefined */
		if (vmcb.save.rflags != flags)
			fail_msg("%x %d %x: flags %llx, not %llx", old, store.operation, source,
			         (unsigned long long)vmcb.save.rflags, (unsigned long long)flags);
	}
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
	};

	return cmocka_run_group_tests_name("apic_decode", tests, NULL, NULL);
}
