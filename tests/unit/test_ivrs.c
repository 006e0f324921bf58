/*
 * boot/ivrs.c: units, devices and memory of an IVRS, whole and broken; how it is hidden. And
 * boot/acpi_devices.c: where PCI's configuration is. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi.h"
#include "boot/acpi_devices.h"
#include "boot/ivrs.h"
#include "tests/unit/arena.h"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define XSDT   0x20800ull
#define IVRS   0x22000ull
#define OTHER  0x24000ull

static struct iommu_unit units[IOMMU_UNITS_MAX];
static unsigned int count;
static char said[1024];

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	put32(RSDT + 36, IVRS);
	put_acpi_table(RSDT, "RSDT", 40);
	put64(XSDT + 36, IVRS);
	put64(XSDT + 44, OTHER);
	put_acpi_table(XSDT, "XSDT", 52);
	put_rsdp(RSDP, 2, RSDT, XSDT);
	said[0] = 0;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static uint64_t put_unit(uint64_t at, uint8_t type, uint16_t length, uint64_t base)
{
	put8(at, type);
	put8(at + 1, 0x31);
	put16(at + 2, length);
	put16(at + 4, 0x0102);
	put64(at + 8, base);
	put16(at + 16, 7);
	return at + length;
}

static void end_table(uint64_t end)
{
	put_acpi_table(IVRS, "IVRS", (uint32_t)(end - IVRS));
}

static void finds_units(void **state)
{
	uint64_t at = IVRS + 48;

	(void)state;
	at = put_unit(at, 0x10, 24, 0xfd000000);
	at = put_unit(at, 0x20, 32, 0x11111111); /* a range of memory */
	at = put_unit(at, 0x11, 40, 0xfd000000);
	at = put_unit(at, 0x33, 4, 0x22222222); /* nobody knows */
	at = put_unit(at, 0x40, 44, 0x1fd200000);
	end_table(at);
	assert_int_equal(ivrs_units(RSDP, units, &count), IVRS_FOUND);
	assert_int_equal(count, 2);
	assert_true(units[0].base == 0xfd000000 && units[1].base == 0x1fd200000);
	assert_int_equal(units[0].function, 0x0102);
	assert_int_equal(units[0].segment, 7);
	assert_int_equal(units[0].flags, 0x31);
	assert_int_equal(ivrs_units(0, units, &count), IVRS_NONE);
	assert_int_equal(count, 0);
}

static bool is_iommus(uint64_t hpa)
{
	return ivrs_meets(RSDP, hpa, 4096, IOMMU_REGISTERS_LEAST);
}

static void meets_registers(void **state)
{
	uint64_t at = IVRS + 48;

	(void)state;
	at = put_unit(at, 0x10, 24, 0xfd000000);
	at = put_unit(at, 0x20, 32, 0x11111000); /* a range of memory */
	at = put_unit(at, 0x11, 40, 0xfd000000);
	at = put_unit(at, 0x40, 44, 0x1fd200000);
	end_table(at);
	assert_true(is_iommus(0xfd000000) && is_iommus(0xfd003000));
	assert_false(is_iommus(0xfcfff000) || is_iommus(0xfd004000) || is_iommus(0x11111000));
	assert_true(is_iommus(0x1fd200000) && !is_iommus(0xfd200000));
	assert_true(ivrs_meets(RSDP, 0xfd07f000, 4096, IOMMU_REGISTERS_MOST));
	assert_false(ivrs_meets(RSDP, 0xfd080000, 4096, IOMMU_REGISTERS_MOST));
	assert_false(ivrs_meets(0, 0xfd000000, 4096, IOMMU_REGISTERS_LEAST));
}

static void finds_many(void **state)
{
	uint64_t at = IVRS + 48;

	(void)state;
	for (unsigned int i = 0; i < IOMMU_UNITS_MAX; i++)
		at = put_unit(at, 0x10, 24, 0xf0000000 + i * 0x80000ull);
	end_table(at);
	assert_int_equal(ivrs_units(RSDP, units, &count), IVRS_FOUND);
	assert_int_equal(count, IOMMU_UNITS_MAX);
	end_table(put_unit(at, 0x10, 24, 0xe0000000));
	assert_int_equal(ivrs_units(RSDP, units, &count), IVRS_TOO_MANY);
	assert_int_equal(count, IOMMU_UNITS_MAX);
}

/* A block that is no block, or too short for a unit: it is said, and what is good is told. */
static void broken(void **state)
{
	static const struct {
		uint8_t type;
		uint16_t length, bytes;
	} blocks[] = {{0x10, 0, 24},  {0x10, 3, 24},  {0x10, 25, 24}, {0x10, 0xffff, 24},
	              {0x10, 23, 23}, {0x11, 39, 39}, {0x40, 24, 24}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		uint64_t at = put_unit(IVRS + 48, 0x10, 24, 0xfd000000);

		put_unit(at, blocks[i].type, blocks[i].length, 0xfe000000);
		end_table(at + blocks[i].bytes);
		assert_int_equal(ivrs_units(RSDP, units, &count), IVRS_BROKEN);
		assert_int_equal(count, 1);
	}
	end_table(IVRS + 40);
	assert_int_equal(ivrs_units(RSDP, units, &count), IVRS_NONE);
}

static void pass(void *context, uint16_t first, uint16_t last, uint8_t what)
{
	size_t at = strlen(said);

	assert_ptr_equal(context, said);
	snprintf(said + at, sizeof(said) - at, "%x-%x:%x ", first, last, what);
}

static void put_bytes(uint64_t at, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put8(at + i, bytes[i]);
}

static void tells_devices(void **state)
{
	static const uint8_t entries[] =
		{
			/* clang-format off */
		1, 0, 0, 0x10,                            /* all */
		0, 0, 0, 0,
		2, 0xa0, 0x00, 0xd7,                      /* one */
		3, 0x00, 0x01, 0x01, 4, 0xff, 0x02, 0,    /* a range */
		66, 0x08, 0x03, 0x40, 0, 0x05, 0x04, 0,   /* one that asks as another */
		67, 0x10, 0x03, 0x80, 0, 0x06, 0x04, 0, 4, 0x17, 0x03, 0,
		70, 0x20, 0x03, 0x02, 0, 0, 0, 0,
		71, 0x30, 0x03, 0x04, 0, 0, 0, 0, 4, 0x37, 0x03, 0,
		72, 0, 0, 0xc7, 3, 0xa1, 0x00, 1,         /* an I/O APIC */
		240, 0x40, 0x03, 0x20, 'A', 'M', 'D', 'I', '0', '0', '4', '0', 0, 0, 0, 0, 0, 0, 0, 0,
		2, 3, 'x', 'y', 'z',
		130, 0x99, 0x09, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* of a type to come */
		4, 0x50, 0x03, 0,                         /* an end without a beginning */
		3, 0x60, 0x03, 1, 4, 0x50, 0x03, 0,       /* that ends before */
		2, 0x70, 0x03, 0x01,
			/* clang-format on */
		};
	uint64_t at = IVRS + 48;

	(void)state;
	put_unit(at, 0x11, 40 + sizeof(entries), 0xfd000000);
	put_bytes(at + 40, entries, sizeof(entries));
	at += 40 + sizeof(entries);
	/* Cut amid an entry: what is whole counts. */
	put_unit(at, 0x10, 24 + 8 + 6, 0xfe000000);
	put_bytes(at + 24, (const uint8_t[]){2, 1, 0, 1, 2, 2, 0, 2, 66, 3, 0, 4, 0, 0}, 14);
	end_table(at + 24 + 14);
	ivrs_devices(RSDP, pass, said);
	assert_string_equal(said, "0-ffff:10 a0-a0:d7 100-2ff:1 405-405:40 308-308:40 406-406:80 "
	                          "310-317:80 320-320:2 330-337:4 a1-a1:c7 340-340:20 370-370:1 "
	                          "1-1:1 2-2:2 "
	                          /* by the RSDT once more */
	                          "0-ffff:10 a0-a0:d7 100-2ff:1 405-405:40 308-308:40 406-406:80 "
	                          "310-317:80 320-320:2 330-337:4 a1-a1:c7 340-340:20 370-370:1 "
	                          "1-1:1 2-2:2 ");
}

static void keep(uint64_t base, uint64_t size)
{
	size_t at = strlen(said);

	snprintf(said + at, sizeof(said) - at, "%llx+%llx ", (unsigned long long)base,
	         (unsigned long long)size);
}

static uint64_t put_memory(uint64_t at, uint8_t type, uint64_t base, uint64_t size)
{
	put8(at, type);
	put16(at + 2, 32);
	put64(at + 8, base);
	put64(at + 16, size);
	return at + 32;
}

static void tells_memory(void **state)
{
	uint64_t at = IVRS + 48;

	(void)state;
	put32(RSDT + 36, OTHER);
	put_acpi_table(RSDT, "RSDT", 40);
	at = put_memory(at, 0x20, 0x1000, 0x2000);
	at = put_memory(at, 0x21, 0x100000000, 0x3000);
	at = put_memory(at, 0x22, 0x5000, 0);
	at = put_memory(at, 0x22, ~0ull - 10, 12); /* around the end */
	at = put_memory(at, 0x23, 0x7000, 0x1000);
	at = put_memory(at, 0x22, 0x9000, 0x1000);
	end_table(at);
	ivrs_memory(RSDP, keep);
	assert_string_equal(said, "1000+2000 100000000+3000 9000+1000 ");
}

static uint8_t sum_of(uint64_t from, uint32_t length)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + *(uint8_t *)at(from + i));
	return sum;
}

/* All that there are, by both roots; nothing else changes. */
static void hides(void **state)
{
	(void)state;
	end_table(put_unit(IVRS + 48, 0x10, 24, 0xfd000000));
	put_acpi_table(OTHER, "IVRS", 48);
	assert_true(ivrs_hide(RSDP));
	assert_false(acpi_find_table(RSDP, "IVRS"));
	assert_memory_equal(at(IVRS), "OEMI", 4);
	assert_memory_equal(at(OTHER), "OEMI", 4);
	assert_int_equal(sum_of(IVRS, 72), 0);
	assert_int_equal(sum_of(OTHER, 48), 0);
	assert_int_equal(get32(IVRS + 4), 72);
	assert_true(ivrs_hide(RSDP) && ivrs_hide(0));
}

static void pci_pages(void **state)
{
	(void)state;
	put64(OTHER + 44, 0xb0000000);
	put16(OTHER + 52, 0);
	put8(OTHER + 54, 0);
	put8(OTHER + 55, 0x3f);
	put64(OTHER + 60, 0xe0000000);
	put16(OTHER + 68, 1);
	put8(OTHER + 70, 0x40);
	put8(OTHER + 71, 0xff);
	put_acpi_table(OTHER, "MCFG", 76);
	assert_true(acpi_pci_page(RSDP, 0, 0x0002) == 0xb0002000);
	assert_true(acpi_pci_page(RSDP, 0, 0x3fff) == 0xb3fff000);
	assert_true(acpi_pci_page(RSDP, 0, 0x4000) == 0);
	assert_true(acpi_pci_page(RSDP, 1, 0x4000) == 0xe4000000);
	assert_true(acpi_pci_page(RSDP, 1, 0x3fff) == 0);
	put_acpi_table(OTHER, "MCFG", 75); /* cut */
	assert_true(acpi_pci_page(RSDP, 1, 0x4000) == 0);
	assert_true(acpi_pci_page(0, 0, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_units, fresh, done),
		cmocka_unit_test_setup_teardown(meets_registers, fresh, done),
		cmocka_unit_test_setup_teardown(finds_many, fresh, done),
		cmocka_unit_test_setup_teardown(broken, fresh, done),
		cmocka_unit_test_setup_teardown(tells_devices, fresh, done),
		cmocka_unit_test_setup_teardown(tells_memory, fresh, done),
		cmocka_unit_test_setup_teardown(hides, fresh, done),
		cmocka_unit_test_setup_teardown(pci_pages, fresh, done),
	};

	return cmocka_run_group_tests_name("ivrs", tests, NULL, NULL);
}
