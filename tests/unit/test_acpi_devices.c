/*
 * boot/acpi_devices.c: the SPCR, whole, broken and missing. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi_devices.h"
#include "tests/unit/arena.h"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define SPCR   0x21000ull

static struct acpi_serial serial;

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	put32(RSDT + 36, SPCR);
	put_acpi_table(RSDT, "RSDT", 40);
	put_rsdp(RSDP, 0, RSDT, 0);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void put_spcr(uint8_t type, uint8_t space, uint8_t bits, uint64_t address, uint32_t length)
{
	put8(SPCR + 36, type);
	put8(SPCR + 40, space);
	put8(SPCR + 41, bits);
	put64(SPCR + 44, address);
	put_acpi_table(SPCR, "SPCR", length);
	assert_true(acpi_serial_port(RSDP, &serial));
	assert_true(serial.address == address);
	assert_int_equal(serial.type, type);
}

static void serial_ports(void **state)
{
	(void)state;
	put_spcr(0, 1, 8, 0x2f8, 80);
	assert_int_equal(serial.port, 0x2f8);
	put_spcr(1, 1, 0, 0x3e8, 52);
	assert_int_equal(serial.port, 0x3e8);
	put_spcr(0x12, 1, 8, 0xfff8, 88);
	assert_int_equal(serial.port, 0xfff8);
}

static void no_ports(void **state)
{
	(void)state;
	put_spcr(3, 1, 8, 0x3f8, 80); /* a PL011 */
	assert_int_equal(serial.port, 0);
	put_spcr(0, 0, 8, 0xfedc9000, 80); /* in memory */
	assert_int_equal(serial.port, 0);
	put_spcr(0, 1, 32, 0x3f8, 80); /* registers far apart */
	assert_int_equal(serial.port, 0);
	put_spcr(0, 1, 8, 0xfff9, 80);
	assert_int_equal(serial.port, 0);
	put_spcr(0, 1, 8, 0x1000003f8, 80);
	assert_int_equal(serial.port, 0);
	put_spcr(0, 1, 8, 0, 80); /* nothing is redirected */
	assert_int_equal(serial.port, 0);
}

static void no_table(void **state)
{
	(void)state;
	assert_false(acpi_serial_port(0, &serial));
	assert_false(acpi_serial_port(RSDP, &serial));
	put_acpi_table(SPCR, "SPCR", 51);
	assert_false(acpi_serial_port(RSDP, &serial));
	assert_int_equal(serial.port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(serial_ports, fresh, done),
		cmocka_unit_test_setup_teardown(no_ports, fresh, done),
		cmocka_unit_test_setup_teardown(no_table, fresh, done),
	};

	return cmocka_run_group_tests_name("acpi devices", tests, NULL, NULL);
}
