/*
 * boot/acpi_sleep.c on good and broken tables. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi_sleep.h"
#include "tests/unit/arena.h"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define FADT   0x21000ull
#define DSDT   0x30000ull

enum {
	HEADER = 36,
	FADT_SIZE_1 = 116, /* ACPI 1.0's */
	FADT_SIZE_2 = 244,
	FADT_SIZE_5 = 268,
	PORT = 0x604,
};

/* Name (_S3_, Package (4) {One, One, Zero, Zero}) and what firmware has around it. */
static const uint8_t good[] = {0x5b, 0x80, 'A', 'B', 'C', 'D', 0x08, '_', 'S', '3',
                               '_',  0x12, 6,   4,   1,   1,   0,    0,   0x08};

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	put_rsdp(RSDP, 0, RSDT, 0);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void put_fadt(uint32_t length)
{
	put_acpi_table(FADT, "FACP", length);
	put32(RSDT + HEADER, FADT);
	put_acpi_table(RSDT, "RSDT", HEADER + 4);
}

static void put_dsdt(const void *aml, uint32_t length)
{
	memcpy(at(DSDT + HEADER), aml, length);
	put_acpi_table(DSDT, "DSDT", HEADER + length);
	put32(FADT + 40, DSDT);
	put32(FADT + 64, PORT);
	put_fadt(FADT_SIZE_1);
}

static uint8_t sum(uint64_t hpa, uint32_t length)
{
	uint8_t total = 0;

	for (uint32_t i = 0; i < length; i++)
		total = (uint8_t)(total + *(uint8_t *)at(hpa + i));
	return total;
}

static void assert_register(const struct sleep_states *states, unsigned int i, uint64_t where,
                            bool memory, uint8_t value)
{
	assert_true(i < states->count);
	assert_int_equal(states->registers[i].at, where);
	assert_int_equal(states->registers[i].memory, memory);
	assert_int_equal(states->registers[i].value, value);
}

static void s3_is_found_and_renamed(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 1);
	assert_int_equal(states.count, 1);
	assert_register(&states, 0, PORT + 1, false, 0);
	assert_memory_equal(at(DSDT + HEADER + 6), "\bXS3_", 5);
	assert_int_equal(sum(DSDT, HEADER + sizeof(good)), 0);
	/* Nobody finds it twice. */
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 0);
}

static void both_states_by_any_name_and_number(void **state)
{
	static const uint8_t aml[] = {0x08, '\\', '_', 'S',  '2', '_',  0x12, 0x0a, 4,   0x0a,
	                              3,    0x0a, 4,   0,    0,   0x08, '_',  'S',  '3', '_',
	                              0x12, 4,    2,   0x0a, 5,   0x08, '_',  'S',  '5', '_'};
	static const uint8_t other[] = {0x08, '_', 'S', '3', '_', 0x12, 6, 2, 0x0a, 5, 0x0a, 6};
	struct sleep_states states;

	(void)state;
	put_dsdt(aml, sizeof(aml)); /* the second package ends before its second number */
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 3 | 1 << 4);
	put_dsdt(other, sizeof(other));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 5 | 1 << 6);
}

/* A byte of what is good is another: a package that is not understood tells no type. */
static void what_is_no_such_package(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
		bool named; /* it is \_S3 all the same, and hidden */
	} changes[] = {{6, 0x10, false}, {9, '4', false},  {11, 0x13, true}, {12, 0x46, true},
	               {13, 1, true},    {14, 0x0b, true}, {15, 0x70, true}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct sleep_states states;
		uint8_t aml[sizeof(good)];

		memcpy(aml, good, sizeof(good));
		aml[changes[i].at] = changes[i].value;
		put_dsdt(aml, sizeof(aml));
		acpi_sleep_states(RSDP, &states);
		assert_int_equal(states.bad, 0);
		if (changes[i].named)
			aml[7] = 'X';
		assert_memory_equal(at(DSDT + HEADER), aml, sizeof(aml));
	}
}

/* The arena's end guards: nothing beyond a table is read. */
static void tables_that_end_early(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < sizeof(good); length++) {
		struct sleep_states states;

		put_dsdt(good, length);
		acpi_sleep_states(RSDP, &states);
		assert_int_equal(states.bad, length >= 16 ? 1 << 1 : 0);
	}
}

/* A generic address in the FADT. */
static void put_address(uint32_t offset, uint8_t space, uint64_t address)
{
	put8(FADT + offset, space);
	put64(FADT + offset + 4, address);
}

/* Whichever of them an operating system takes; ports and memory alike. */
static void all_registers_are_found(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	put32(FADT + 40, 0);
	put64(FADT + 140, DSDT);
	put_address(172, 1, 0x1804);
	put_address(184, 0, 0xfed80804);
	put32(FADT + 68, 0x704);
	put_address(244, 0, 0xfed90010);
	put_fadt(FADT_SIZE_5);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 1);
	assert_int_equal(states.count, 5);
	assert_register(&states, 0, PORT + 1, false, 0);
	assert_register(&states, 1, 0x1805, false, 0);
	assert_register(&states, 2, 0x705, false, 1);
	assert_register(&states, 3, 0xfed80805, true, 1);
	assert_register(&states, 4, 0xfed90010, true, 0);
	/* Each once; in no other space; not beyond the table's end. */
	put_address(172, 1, PORT);
	put_address(184, 2, 0x18);
	put_fadt(FADT_SIZE_2);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	put_address(244, 1, 0x820);
	put_fadt(FADT_SIZE_5);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 3);
	assert_register(&states, 2, 0x820, false, 0);
}

/* Operating systems warn, and take them. */
static void bad_sums_change_nothing(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	put8(DSDT, 'D');
	put8(DSDT + 9, (uint8_t)(*(uint8_t *)at(DSDT + 9) + 1));
	put8(FADT + 9, (uint8_t)(*(uint8_t *)at(FADT + 9) + 1));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 1);
	assert_register(&states, 0, PORT + 1, false, 0);
	assert_int_equal(sum(DSDT, HEADER + sizeof(good)), 1);
}

/* One takes the first, another the last. */
static void a_second_fadt(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	put32(FADT + 0x1000 + 64, 0x404);
	put_acpi_table(FADT + 0x1000, "FACP", FADT_SIZE_1);
	put32(RSDT + HEADER + 4, FADT + 0x1000);
	put_acpi_table(RSDT, "RSDT", HEADER + 8);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	assert_register(&states, 0, PORT + 1, false, 0);
	assert_register(&states, 1, 0x405, false, 0);
}

/* So many have room; no more are written. */
static void many_registers(void **state)
{
	struct {
		struct sleep_states states;
		uint64_t behind;
	} guarded = {.behind = 0x1234};

	(void)state;
	put_dsdt(good, sizeof(good));
	for (uint32_t i = 0; i < 16; i++) {
		put32(FADT + 0x1000 + i * 0x80 + 64, 0x1000 + 4 * i);
		put_acpi_table(FADT + 0x1000 + i * 0x80, "FACP", FADT_SIZE_1);
		put32(RSDT + HEADER + 4 + 4 * i, (uint32_t)FADT + 0x1000 + i * 0x80);
	}
	put_acpi_table(RSDT, "RSDT", HEADER + 4 * 17);
	acpi_sleep_states(RSDP, &guarded.states);
	assert_int_equal(guarded.states.count, SLEEP_REGISTERS);
	assert_int_equal(guarded.behind, 0x1234);
}

static void without_tables_there_is_nothing(void **state)
{
	struct sleep_states states;

	(void)state;
	acpi_sleep_states(0, &states);
	assert_int_equal(states.bad | states.count, 0);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad | states.count, 0);
	put_dsdt(good, sizeof(good));
	put8(DSDT, 'X');
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 0);
	assert_register(&states, 0, PORT + 1, false, 0);
}

#define SSDT 0x40000ull

static void put_ssdt(const void *aml, uint32_t length)
{
	memcpy(at(SSDT + HEADER), aml, length);
	put_acpi_table(SSDT, "SSDT", HEADER + length);
	put32(RSDT + HEADER + 4, SSDT - 0x1000); /* which is none */
	put32(RSDT + HEADER + 8, SSDT);
	put_acpi_table(RSDT, "RSDT", HEADER + 12);
}

/* In a second table; S5 in the first one says what is good besides. */
static void s3_in_an_ssdt(void **state)
{
	static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 7, 0x0a, 5, 0, 0};
	struct sleep_states states;

	(void)state;
	put_dsdt(s5, sizeof(s5));
	put_ssdt(good, sizeof(good));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 1);
	assert_true(states.s5_is_known);
	assert_int_equal(states.good[0], 1 << 7);
	assert_int_equal(states.good[1], 1 << 5);
	assert_memory_equal(at(SSDT + HEADER + 6), "\bXS3_", 5);
	assert_memory_equal(at(DSDT + HEADER), s5, sizeof(s5));
	assert_int_equal(sum(SSDT, HEADER + sizeof(good)), 0);
}

/* Method (\_S3_) {... Return (Package () {3, 3, 0, 0})}, with lengths of one byte and of two. */
static void s3_as_a_method(void **state)
{
	static const uint8_t one[] = {0x14, 0x13, '\\', '_', 'S',  '3', '_', 0, 0xa4, 0x12,
	                              8,    4,    0x0a, 3,   0x0a, 3,   0,   0, 0xa3, 0xa3};
	static const uint8_t two[] = {0x14, 0x44, 0x01, '_',  'S', '3', '_', 0,    0xa4, 0x12, 8,
	                              4,    0x0a, 3,    0x0a, 3,   0,   0,   0xa3, 0xa3, 0xa3};
	static const uint8_t alias[] = {0x06, 'A', 'B', 'C', 'D', '\\', '_', 'S', '3', '_'};
	struct sleep_states states;

	(void)state;
	put_dsdt(one, sizeof(one));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 3);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 3), 'X');
	put_dsdt(two, sizeof(two));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 1 << 3);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 3), 'X');
	put_dsdt(alias, sizeof(alias));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.bad, 0);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 6), 'X');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s3_is_found_and_renamed, fresh, done),
		cmocka_unit_test_setup_teardown(both_states_by_any_name_and_number, fresh, done),
		cmocka_unit_test_setup_teardown(what_is_no_such_package, fresh, done),
		cmocka_unit_test_setup_teardown(tables_that_end_early, fresh, done),
		cmocka_unit_test_setup_teardown(all_registers_are_found, fresh, done),
		cmocka_unit_test_setup_teardown(bad_sums_change_nothing, fresh, done),
		cmocka_unit_test_setup_teardown(a_second_fadt, fresh, done),
		cmocka_unit_test_setup_teardown(many_registers, fresh, done),
		cmocka_unit_test_setup_teardown(s3_in_an_ssdt, fresh, done),
		cmocka_unit_test_setup_teardown(s3_as_a_method, fresh, done),
		cmocka_unit_test_setup_teardown(without_tables_there_is_nothing, fresh, done),
	};

	return cmocka_run_group_tests_name("acpi_sleep", tests, NULL, NULL);
}
