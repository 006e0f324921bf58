/*
 * boot/acpi_devices.c: the SPCR and the IVRS, whole, broken and missing. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi_devices.h"
#include "hv/x86.h"
#include "tests/unit/arena.h"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define SPCR   0x21000ull
#define IVRS   0x22000ull

static struct acpi_serial serial;

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	put32(RSDT + 36, SPCR);
	put32(RSDT + 40, IVRS);
	put_acpi_table(RSDT, "RSDT", 44);
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

static uint64_t put_block(uint64_t at, uint8_t type, uint16_t length, uint64_t base)
{
	put8(at, type);
	put16(at + 2, length);
	put64(at + 8, base);
	return at + length;
}

static bool is_iommus(uint64_t hpa)
{
	return acpi_meets_iommu(RSDP, hpa, PAGE_SIZE, ACPI_IOMMU_BYTES);
}

static void iommus(void **state)
{
	uint64_t at = IVRS + 48;

	(void)state;
	at = put_block(at, 0x10, 24, 0xfd000000);
	at = put_block(at, 0x20, 32, 0x11111000); /* a range of memory */
	at = put_block(at, 0x11, 40, 0xfd000000);
	at = put_block(at, 0x40, 44, 0x1fd200000);
	put_acpi_table(IVRS, "IVRS", (uint32_t)(at - IVRS));
	assert_true(is_iommus(0xfd000000) && is_iommus(0xfd003000));
	assert_false(is_iommus(0xfcfff000) || is_iommus(0xfd004000) || is_iommus(0x11111000));
	assert_true(is_iommus(0x1fd200000) && !is_iommus(0xfd200000));
	assert_true(acpi_meets_iommu(RSDP, 0xfd07f000, PAGE_SIZE, ACPI_IOMMU_MOST));
	assert_false(acpi_meets_iommu(RSDP, 0xfd080000, PAGE_SIZE, ACPI_IOMMU_MOST));
	assert_false(acpi_meets_iommu(0, 0xfd000000, PAGE_SIZE, ACPI_IOMMU_BYTES));
}

/* What is broken ends the list. */
static void broken_iommus(void **state)
{
	static const uint16_t lengths[] = {0, 15, 25, 0xffff};

	(void)state;
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		put_block(put_block(IVRS + 48, 0x10, 24, 0xfd000000), 0x10, lengths[i], 0xfe000000);
		put_acpi_table(IVRS, "IVRS", 48 + 48);
		assert_true(is_iommus(0xfd000000) && !is_iommus(0xfe000000));
	}
	put_acpi_table(IVRS, "IVRS", 40);
	assert_false(is_iommus(0xfd000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(serial_ports, fresh, done),
		cmocka_unit_test_setup_teardown(no_ports, fresh, done),
		cmocka_unit_test_setup_teardown(no_table, fresh, done),
		cmocka_unit_test_setup_teardown(iommus, fresh, done),
		cmocka_unit_test_setup_teardown(broken_iommus, fresh, done),
	};

	return cmocka_run_group_tests_name("acpi devices", tests, NULL, NULL);
}
