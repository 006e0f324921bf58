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

static void s3_is_found_and_renamed(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	assert_int_equal(states.types[0], 1);
	assert_int_equal(states.types[1], 1);
	assert_int_equal(states.pm1_control[0], PORT);
	assert_int_equal(states.pm1_control[1], 0);
	assert_memory_equal(at(DSDT + HEADER + 6), "\bXS3_", 5);
	assert_int_equal(sum(DSDT, HEADER + sizeof(good)), 0);
	/* Nobody finds it twice. */
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 0);
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
	assert_int_equal(states.count, 2);
	assert_int_equal(states.types[0], 3);
	assert_int_equal(states.types[1], 4);
	put_dsdt(other, sizeof(other));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	assert_int_equal(states.types[0], 5);
	assert_int_equal(states.types[1], 6);
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
		assert_int_equal(states.count, 0);
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
		assert_int_equal(states.count, length >= 16 ? 2 : 0);
	}
}

static void extended_addresses_count_first(void **state)
{
	struct sleep_states states;

	(void)state;
	put_dsdt(good, sizeof(good));
	put32(FADT + 40, 0);
	put64(FADT + 140, DSDT);
	put8(FADT + 172, 1);
	put64(FADT + 176, 0x1804);
	put8(FADT + 184, 0); /* memory: not a port */
	put64(FADT + 188, 0xfed00000);
	put32(FADT + 68, 0x704);
	put_fadt(FADT_SIZE_2);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	assert_int_equal(states.pm1_control[0], 0x1804);
	assert_int_equal(states.pm1_control[1], 0x704);
}

static void without_tables_there_is_nothing(void **state)
{
	struct sleep_states states;

	(void)state;
	acpi_sleep_states(0, &states);
	assert_int_equal(states.count, 0);
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 0);
	put_dsdt(good, sizeof(good));
	put8(DSDT + HEADER, 0); /* the sum is wrong */
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 0);
	assert_int_equal(states.pm1_control[0], PORT);
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
	assert_int_equal(states.count, 2);
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
	assert_int_equal(states.count, 2);
	assert_int_equal(states.types[0], 3);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 3), 'X');
	put_dsdt(two, sizeof(two));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 2);
	assert_int_equal(states.types[1], 3);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 3), 'X');
	put_dsdt(alias, sizeof(alias));
	acpi_sleep_states(RSDP, &states);
	assert_int_equal(states.count, 0);
	assert_int_equal(*(uint8_t *)at(DSDT + HEADER + 6), 'X');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s3_is_found_and_renamed, fresh, done),
		cmocka_unit_test_setup_teardown(both_states_by_any_name_and_number, fresh, done),
		cmocka_unit_test_setup_teardown(what_is_no_such_package, fresh, done),
		cmocka_unit_test_setup_teardown(tables_that_end_early, fresh, done),
		cmocka_unit_test_setup_teardown(extended_addresses_count_first, fresh, done),
		cmocka_unit_test_setup_teardown(s3_in_an_ssdt, fresh, done),
		cmocka_unit_test_setup_teardown(s3_as_a_method, fresh, done),
		cmocka_unit_test_setup_teardown(without_tables_there_is_nothing, fresh, done),
	};

	return cmocka_run_group_tests_name("acpi_sleep", tests, NULL, NULL);
}
