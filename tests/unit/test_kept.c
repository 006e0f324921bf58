/*
 * svm/apic/kept.c: what passes to I/O APICs and to where messages go, and pages with other owners.
 */
#include "tests/unit/apic_rig.h"

#define IO_APIC 0xfec00000ull

static void store_at(uint64_t gpa, uint32_t value)
{
	static const uint8_t mov[] = {0xa3, 0, 0, 0, 0};

	memcpy(code, mov, code_length = sizeof(mov));
	vmcb.save.rax = value;
	forget();
	assert_true(apic_npf(&vcpus[0], gpa));
	assert_int_equal(finished(), sizeof(mov));
	assert_int_equal(exception, NOTHING);
}

static void watches_pages(void **state)
{
	(void)state;
	machine(1);
	assert_false(apic_covers(IO_APIC, PAGE_SIZE));
	assert_false(apic_npf(&vcpus[0], IO_APIC));
	assert_true(kept_add(IO_APIC + 0x100, message_store));
	assert_true(kept_add(IO_APIC, message_store)); /* the same */
	for (unsigned int i = 1; i < 71; i++)
		assert_true(kept_add(IO_APIC + 2ull * i * PAGE_SIZE, message_store));
	assert_false(kept_add(IO_APIC + 142 * PAGE_SIZE, message_store));
	assert_true(apic_covers(IO_APIC, PAGE_SIZE));
	assert_true(apic_covers(IO_APIC + 0x10, 4));
	assert_false(apic_covers(IO_APIC + PAGE_SIZE, PAGE_SIZE));
	assert_false(apic_covers(IO_APIC - PAGE_SIZE, PAGE_SIZE));
	assert_true(apic_covers(IO_APIC + 140 * PAGE_SIZE, PAGE_SIZE));
	assert_true(apic_covers(0xfec00000, 0x200000));
	assert_true(apic_covers(0xfee00000, PAGE_SIZE));
	assert_true(apic_covers(0xfeeff000, PAGE_SIZE));
	assert_true(apic_covers(0xfee80000, 0x200000));
	assert_true(apic_covers(0, 1ull << 32));
	assert_false(apic_covers(0xfedff000, PAGE_SIZE));
	assert_false(apic_covers(0xfef00000, PAGE_SIZE));
}

/* Row MAX - 1 of registers is what is not this processor's page. */
static void io_apic(void **state)
{
	const uint32_t *io = registers[MAX - 1];

	(void)state;
	machine(1);
	assert_true(kept_add(IO_APIC, message_store));
	lines = 0;
	store_at(IO_APIC, 0x12);
	assert_int_equal(io[0], 0x12);
	for (uint32_t mode = 0; mode < 8; mode++) {
		uint32_t was = io[4], entry = 0x10030 | mode << 8;

		store_at(IO_APIC + 0x10, entry);
		assert_int_equal(io[4], mode == 5 || mode == 6 ? was : entry);
	}
	assert_int_equal(lines, 1);
	store_at(IO_APIC + 0x40, 0x30);
	assert_int_equal(io[0x10], 0x30);
	/* Anywhere else: some do not decode all of the address. */
	store_at(IO_APIC + 0x510, 0x530);
	assert_int_equal(io[0x510 / 4], 0);
	store_at(IO_APIC + 0x10 + 1, 0x1);
	assert_int_equal(io[4], 0x10730);
}

static void narrow_and_wide(void **state)
{
	static const uint8_t byte[] = {0xa2, 0, 0, 0, 0}, word[] = {0x66, 0xa3, 0, 0, 0, 0};
	static const uint8_t wide[] = {0x48, 0x89, 0x08};
	static const uint8_t or [] = {0x81, 0x0d, 0x10, 0, 0xc0, 0xfe, 0, 5, 0, 0};
	uint32_t *io = registers[MAX - 1];

	(void)state;
	machine(1);
	assert_true(kept_add(IO_APIC, message_store));
	vmcb.save.rax = 0x511;
	memcpy(code, byte, code_length = sizeof(byte));
	assert_true(apic_npf(&vcpus[0], IO_APIC));
	assert_int_equal(io[0], 0x11);
	io[0] = 0;
	memcpy(code, word, code_length = sizeof(word));
	assert_true(apic_npf(&vcpus[0], IO_APIC));
	assert_int_equal(io[0], 0x11);
	/* Of an entry no part is written. */
	io[4] = 0x10030;
	assert_true(apic_npf(&vcpus[0], IO_APIC + 0x10));
	assert_int_equal(finished(), sizeof(byte) + 2 * sizeof(word));
	memcpy(code, byte, code_length = sizeof(byte));
	assert_true(apic_npf(&vcpus[0], IO_APIC + 0x11));
	assert_int_equal(finished(), sizeof(byte));
	assert_int_equal(io[4], 0x10030);
	/* What arithmetic makes of it counts. */
	memcpy(code, or, code_length = sizeof(or));
	assert_true(apic_npf(&vcpus[0], IO_APIC + 0x10));
	assert_int_equal(io[4], 0x10030);
	code[7] = 4;
	assert_true(apic_npf(&vcpus[0], IO_APIC + 0x10));
	assert_int_equal(io[4], 0x10430);
	assert_int_equal(finished(), 2 * sizeof(or));
	vmcb.save.cs.attributes = SEG_ATTR_L;
	vmcb.save.efer = EFER_LMA;
	vcpus[0].gpr[GPR_RCX] = 0x30;
	memcpy(code, wide, code_length = sizeof(wide));
	assert_true(apic_npf(&vcpus[0], IO_APIC + 0x10));
	assert_int_equal(finished(), sizeof(wide));
	assert_int_equal(io[4], 0x10430);
}

static uint64_t told_gpa;
static uint32_t told_value;
static unsigned int told_size;

static bool device_store(uint64_t gpa, unsigned int size, uint32_t value)
{
	told_gpa = gpa;
	told_value = value;
	told_size = size;
	return kept_write(gpa, size, value);
}

/* A page with another owner, who sees all widths and what arithmetic makes. */
static void another_owner(void **state)
{
	static const uint8_t or [] = {0x80, 0x0d, 0, 0, 0, 0, 0x20}, and[] = {0x66, 0x21, 0x01};
	static const uint8_t xchg[] = {0x86, 0x31}, wide[] = {0x48, 0x89, 0x08};
	uint8_t *device = (uint8_t *)registers[MAX - 1];

	(void)state;
	machine(1);
	assert_true(kept_add(IO_APIC, message_store));
	window_is_full = true;
	assert_false(kept_add(OTHER, device_store)); /* L0 could not reach it */
	window_is_full = false;
	assert_true(kept_add(OTHER, device_store));
	assert_int_equal(in_window, OTHER);
	assert_true(kept_add(OTHER + 0x800, device_store));
	assert_false(kept_add(OTHER, message_store));
	assert_false(kept_add(IO_APIC, device_store));
	store_at(OTHER + 0x804, 0x4500);
	assert_true(told_gpa == OTHER + 0x804 && told_size == 4 && told_value == 0x4500);
	assert_int_equal(device[0x805], 0x45);
	memcpy(code, or, code_length = sizeof(or));
	assert_true(apic_npf(&vcpus[0], OTHER + 0x805));
	assert_true(told_size == 1 && (told_value & 0xff) == 0x65);
	assert_int_equal(registers[MAX - 1][0x804 / 4], 0x6500);
	/* Not aligned; and DH. */
	memcpy(code, and, code_length = sizeof(and));
	vmcb.save.rax = 0xff1f;
	assert_true(apic_npf(&vcpus[0], OTHER + 0x805));
	assert_int_equal(registers[MAX - 1][0x804 / 4], 0x500);
	memcpy(code, xchg, code_length = sizeof(xchg));
	vcpus[0].gpr[GPR_RDX] = 0xabcdef;
	assert_true(apic_npf(&vcpus[0], OTHER + 0x805));
	assert_int_equal(registers[MAX - 1][0x804 / 4], 0xcd00);
	assert_true(vcpus[0].gpr[GPR_RDX] == 0xab05ef);
	/* What the device does not take, or reaches into what is behind the page. */
	memcpy(code, and, code_length = sizeof(and));
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + 0xfff));
	assert_true(exception == VEC_GP && !finished());
	code[0] = 0xa3;
	code_length = 5;
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + 0xffe));
	assert_true(exception == VEC_GP && !finished());
	vmcb.save.cs.attributes = SEG_ATTR_L;
	vmcb.save.efer = EFER_LMA;
	memcpy(code, wide, code_length = sizeof(wide));
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + 0x800));
	assert_true(exception == VEC_GP && !finished());
	code[1] = 0x09; /* OR, likewise */
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + 0x800));
	assert_true(exception == VEC_GP && !finished());
}

/* What a device would write, by the processor: QEMU takes it. */
static void messages(void **state)
{
	uint32_t *bus = registers[MAX - 1];

	(void)state;
	machine(1);
	bus[0] = 0;
	store_at(0xfee01000, 0x4530);
	assert_int_equal(bus[0], 0);
	store_at(0xfee01000, 0x4030);
	assert_int_equal(bus[0], 0x4030);
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	store_at(PAGE, 0x4530);
	assert_int_equal(bus[0], 0x4030);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(io_apic), /* first: the log says it once */
		cmocka_unit_test(watches_pages), cmocka_unit_test(narrow_and_wide),
		cmocka_unit_test(another_owner), cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
