/*
 * boot/acpi.c on good and broken tables. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi.h"
#include "boot/ids.h"
#include "tests/unit/arena.h"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define XSDT   0x21000ull
#define OTHER  0x22000ull
#define MADT   0x23000ull
#define EFI    0x30000ull

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static uint64_t put_lapic(uint64_t hpa, uint8_t id, uint32_t flags)
{
	put8(hpa, 0);
	put8(hpa + 1, 8);
	put8(hpa + 3, id);
	put32(hpa + 4, flags);
	return hpa + 8;
}

static uint64_t put_x2apic(uint64_t hpa, uint32_t id, uint32_t flags)
{
	put8(hpa, 9);
	put8(hpa + 1, 16);
	put32(hpa + 4, id);
	put32(hpa + 8, flags);
	return hpa + 16;
}

/* Two enabled processors of each kind, some that are not, and something else. */
static uint32_t put_madt(void)
{
	uint64_t end = MADT + 44;

	end = put_lapic(end, 0, 1);
	end = put_lapic(end, 1, 0);
	put8(end, 1); /* an I/O APIC */
	put8(end + 1, 12);
	put32(end + 4, 1);
	end += 12;
	end = put_lapic(end, 4, 3);
	end = put_x2apic(end, 0x101, 1);
	end = put_x2apic(end, 0x102, 2);
	end = put_x2apic(end, 7, 1);
	put_acpi_table(MADT, "APIC", (uint32_t)(end - MADT));
	return (uint32_t)(end - MADT);
}

static void put_tables(uint8_t revision)
{
	put_acpi_table(OTHER, "FACP", 36);
	put_madt();
	put32(RSDT + 36, OTHER);
	put32(RSDT + 40, MADT);
	put_acpi_table(RSDT, "RSDT", 44);
	put64(XSDT + 36, OTHER);
	put64(XSDT + 44, MADT);
	put_acpi_table(XSDT, "XSDT", 52);
	put_rsdp(RSDP, revision, RSDT, XSDT);
}

static void reads_a_root_pointer(void **state)
{
	struct acpi_rsdp rsdp;

	(void)state;
	put_rsdp(RSDP, 0, 0x1234, 0);
	memset(at(RSDP + 20), 0xee, 16);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 20);
	assert_int_equal(rsdp.rsdt, 0x1234);
	assert_int_equal(rsdp.xsdt, 0);
	put_rsdp(RSDP, 2, 0x1234, 0x56789);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 36);
	assert_int_equal(rsdp.xsdt, 0x56789);
	put8(RSDP + 25, 0xff);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 0);
	put_rsdp(RSDP, 2, 0x1234, 0);
	put8(RSDP + 8, 0xff);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 0);
	put_rsdp(RSDP, 2, 0x1234, 0);
	put32(RSDP + 20, 0x100000);
	put_checksum(RSDP, 32, 36);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 0);
	put_rsdp(RSDP, 0, 0, 0);
	put8(RSDP, 'X');
	put_checksum(RSDP, 8, 20);
	assert_int_equal(acpi_read_rsdp(RSDP, &rsdp), 0);
	assert_int_equal(acpi_read_rsdp(0, &rsdp), 0);
	assert_int_equal(acpi_read_rsdp(0xfffffff0, &rsdp), 0);
	assert_int_equal(acpi_read_rsdp(1ull << 40, &rsdp), 0);
}

static void searches(void **state)
{
	(void)state;
	assert_int_equal(acpi_find_rsdp(), 0);
	put_rsdp(0xfffe0, 0, 0, 0);
	assert_int_equal(acpi_find_rsdp(), 0xfffe0);
	put_rsdp(0xe0000, 0, 0, 0);
	assert_int_equal(acpi_find_rsdp(), 0xe0000);
	put_rsdp(0x9fff0 - 0x3f0, 0, 0, 0);
	assert_int_equal(acpi_find_rsdp(), 0xe0000);
	put16(0x40e, 0x9fc0 - 0x40);
	assert_int_equal(acpi_find_rsdp(), 0xe0000);
	put16(0x40e, 0x9fc0);
	assert_int_equal(acpi_find_rsdp(), 0x9fc00);
	/* Without a BIOS the word is anything. */
	put16(0x40e, 0xa000);
	assert_int_equal(acpi_find_rsdp(), 0xe0000);
	put16(0x40e, 0x10);
	assert_int_equal(acpi_find_rsdp(), 0xe0000);
}

static void knows_what_is_searched(void **state)
{
	(void)state;
	assert_true(acpi_rsdp_is_scanned(0xe0000));
	assert_true(acpi_rsdp_is_scanned(0xffff0));
	assert_false(acpi_rsdp_is_scanned(0xffff8));
	assert_false(acpi_rsdp_is_scanned(0xdfff0));
	assert_false(acpi_rsdp_is_scanned(0x100000));
	assert_false(acpi_rsdp_is_scanned(0x9fc00));
	put16(0x40e, 0x9fc0);
	assert_true(acpi_rsdp_is_scanned(0x9fc00));
	assert_false(acpi_rsdp_is_scanned(0x9fc00 + 0x400));
}

enum { CPUS = 16 };

/* What is behind the end must stay as it is. */
static unsigned int cpu_count(uint64_t rsdp)
{
	uint32_t ids[CPUS + 1];
	unsigned int count;

	ids[CPUS] = 0xdeadbeef;
	count = acpi_cpu_ids(rsdp, ids, CPUS);
	assert_int_equal(ids[CPUS], 0xdeadbeef);
	return count;
}

static void lists_enabled_processors(void **state)
{
	static const uint32_t expected[] = {0, 4, 0x101, 7};
	uint32_t ids[CPUS];

	(void)state;
	put_tables(2);
	assert_int_equal(acpi_cpu_ids(RSDP, ids, CPUS), 4);
	assert_memory_equal(ids, expected, sizeof(expected));
}

/* Ids of one machine's size: both kinds of entries, and each of the small ones by both. */
static void lists_as_many_as_there_are(void **state)
{
	enum { MANY = 4096, BOTH = 254 };
	static uint32_t ids[MANY + BOTH + 1];
	uint64_t end = MADT + 44;

	(void)state;
	arena_new(MEMORY + MANY * 32);
	put_tables(2);
	for (uint32_t id = 0; id < MANY; id++) {
		if (id < BOTH)
			end = put_lapic(end, (uint8_t)id, 1);
		end = put_x2apic(end, id, 1);
	}
	end = put_lapic(end, 0xff, 1); /* no id of one processor */
	end = put_x2apic(end, MANY, 0);
	put_acpi_table(MADT, "APIC", (uint32_t)(end - MADT));
	ids[MANY + BOTH] = 0xdeadbeef;
	assert_int_equal(acpi_cpu_ids(RSDP, ids, MANY + BOTH + 1), MANY + BOTH);
	assert_int_equal(ids[MANY + BOTH], 0xdeadbeef);
	assert_int_equal(ids_sort(ids, MANY + BOTH), MANY);
	for (uint32_t id = 0; id < MANY; id++)
		assert_int_equal(ids[id], id);
}

static void lists_io_apics(void **state)
{
	uint32_t hpas[2];

	(void)state;
	put_tables(2);
	put8(MADT + 44 + 16 + 4, 0);
	put32(MADT + 44 + 16 + 4, 0xfec01000);
	put_checksum(MADT, 9, get32(MADT + 4));
	assert_int_equal(acpi_io_apics(RSDP, hpas, 2), 1);
	assert_int_equal(hpas[0], 0xfec01000);
	assert_int_equal(acpi_io_apics(RSDP, NULL, 0), 0);
	put8(MADT + 44 + 16 + 1, 8); /* too short: the rest is no entry */
	put_checksum(MADT, 9, get32(MADT + 4));
	assert_int_equal(acpi_io_apics(RSDP, hpas, 2), 0);
	assert_int_equal(acpi_io_apics(0, hpas, 2), 0);
}

static void lists_no_more_than_fit(void **state)
{
	uint32_t ids[3] = {0, 0, 0xdeadbeef};

	(void)state;
	put_tables(2);
	assert_int_equal(acpi_cpu_ids(RSDP, ids, 2), 2);
	assert_int_equal(ids[1], 4);
	assert_int_equal(ids[2], 0xdeadbeef);
	assert_int_equal(acpi_cpu_ids(RSDP, NULL, 0), 0);
}

static void counts_processors(void **state)
{
	(void)state;
	put_tables(0);
	assert_int_equal(cpu_count(RSDP), 4);
	put_tables(2);
	assert_int_equal(cpu_count(RSDP), 4);
	put32(RSDT + 4, 3); /* not asked: the other root has it */
	assert_int_equal(cpu_count(RSDP), 4);
	assert_int_equal(cpu_count(0), 0);
	assert_int_equal(cpu_count(OTHER), 0);
}

/* Operating systems take them, and so must L0. */
static void takes_tables_with_bad_sums(void **state)
{
	(void)state;
	for (unsigned int revision = 0; revision <= 2; revision += 2) {
		put_tables((uint8_t)revision);
		put8(MADT + 9, (uint8_t)(*(uint8_t *)at(MADT + 9) + 1));
		assert_int_equal(cpu_count(RSDP), 4);
		put8(RSDT + 20, 1);
		put8(XSDT + 20, 1);
		assert_int_equal(cpu_count(RSDP), 4);
	}
}

static void lists_those_of_both_roots(void **state)
{
	(void)state;
	put_tables(2);
	put_acpi_table(EFI, "APIC", 44);
	put32(RSDT + 40, EFI);
	put_acpi_table(RSDT, "RSDT", 44);
	assert_int_equal(acpi_find_nth_table(RSDP, "APIC", 0), MADT);
	assert_int_equal(acpi_find_nth_table(RSDP, "APIC", 1), EFI);
	assert_int_equal(acpi_find_nth_table(RSDP, "APIC", 2), 0);
	put_rsdp(RSDP, 0, RSDT, XSDT);
	assert_int_equal(acpi_find_nth_table(RSDP, "APIC", 0), EFI);
	assert_int_equal(acpi_find_nth_table(RSDP, "APIC", 1), 0);
}

static void falls_back_to_the_old_root(void **state)
{
	(void)state;
	put_tables(2);
	put_rsdp(RSDP, 2, RSDT, 1ull << 33);
	assert_int_equal(cpu_count(RSDP), 4);
	put_rsdp(RSDP, 2, RSDT, 0);
	assert_int_equal(cpu_count(RSDP), 4);
	put_rsdp(RSDP, 2, 0, 0);
	assert_int_equal(cpu_count(RSDP), 0);
}

static void refuses_broken_tables(void **state)
{
	uint32_t length;

	(void)state;
	put_tables(0);
	put_acpi_table(RSDT, "RSDT", 35);
	assert_int_equal(cpu_count(RSDP), 0);
	put32(RSDT + 4, 0xffffffff);
	assert_int_equal(cpu_count(RSDP), 0);
	put_acpi_table(RSDT, "RSDT", 36);
	assert_int_equal(cpu_count(RSDP), 0);
	put_acpi_table(RSDT, "RSDT", 43); /* cut in the entry of the MADT */
	assert_int_equal(cpu_count(RSDP), 0);
	put_tables(0);
	put8(MADT + 44 + 1, 0);
	put_checksum(MADT, 9, get32(MADT + 4));
	assert_int_equal(cpu_count(RSDP), 0);
	length = put_madt();
	put_acpi_table(MADT, "APIC", length - 1);
	assert_int_equal(cpu_count(RSDP), 0);
	put_acpi_table(MADT, "APIC", 40);
	assert_int_equal(cpu_count(RSDP), 0);
	length = put_madt();
	put8(MADT + 44 + 1, 2); /* too short for its kind: no processor */
	put8(MADT + 46, 1);
	put8(MADT + 47, 6);
	put_checksum(MADT, 9, length);
	assert_int_equal(cpu_count(RSDP), 3);
}

static void put_guid(uint64_t hpa, bool new)
{
	static const uint8_t acpi20[] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
	                                 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
	static const uint8_t acpi10[] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
	                                 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};

	memcpy(at(hpa), new ? acpi20 : acpi10, 16);
}

static void asks_efi(void **state)
{
	(void)state;
	put_rsdp(0x40000, 0, 0, 0);
	put_rsdp(0x40100, 2, 0, 0);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0);
	memcpy(at(EFI), "IBI SYST", 8);
	put64(EFI + 104, 3);
	put64(EFI + 112, EFI + 0x1000);
	put_guid(EFI + 0x1000 + 24, false);
	put64(EFI + 0x1000 + 24 + 16, 0x40000);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0x40000);
	put_guid(EFI + 0x1000 + 48, true);
	put64(EFI + 0x1000 + 48 + 16, 0x40100);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0x40100);
	put64(EFI + 0x1000 + 48 + 16, 0x40200); /* nothing there */
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0x40000);
	put64(EFI + 104, 1);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0);
	put64(EFI + 104, 1ull << 60);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0);
	put64(EFI + 104, 3);
	put64(EFI + 112, 1ull << 40);
	assert_int_equal(acpi_rsdp_from_efi(EFI, true), 0);
	assert_int_equal(acpi_rsdp_from_efi(0, true), 0);
	assert_int_equal(acpi_rsdp_from_efi(0xffffffff, true), 0);

	put32(EFI + 64, 1);
	put32(EFI + 68, EFI + 0x2000);
	put_guid(EFI + 0x2000, true);
	put32(EFI + 0x2000 + 16, 0x40100);
	put32(EFI + 0x2000 + 20, 0xffffffff);
	assert_int_equal(acpi_rsdp_from_efi(EFI, false), 0x40100);
}

static void survives_random_tables(void **state)
{
	static const uint64_t victims[] = {RSDP, RSDT, XSDT, MADT};
	int counts[17] = {0};

	(void)state;
	random_start("acpi");
	arena_new_flat();
	for (int round = 0; round < 10000; round++) {
		uint64_t victim = victims[random_below(4)];
		uint32_t size, length;
		int count;

		put_tables(random_below(2) ? 2 : 0);
		size = victim == RSDP ? 36 : get32(victim + 4) + 4;
		for (uint32_t i = random_below(4) + 1; i--;)
			put8(victim + random_below(size), (uint8_t)random_below(256));
		length = get32(victim + 4);
		if (victim == RSDP)
			put_checksum(RSDP, 8, 20);
		else if (length > 9 && length <= 4096)
			put_checksum(victim, 9, length);
		count = cpu_count(RSDP);
		assert_in_range(count, 0, 16);
		counts[count]++;
		memset(at(RSDT), 0, 0x4000);
	}
	/* Both must have happened: a broken table seen as such, and a changed one counted. */
	assert_true(counts[0] > 100 && counts[3] > 100 && counts[4] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_a_root_pointer, fresh, done),
		cmocka_unit_test_setup_teardown(searches, fresh, done),
		cmocka_unit_test_setup_teardown(knows_what_is_searched, fresh, done),
		cmocka_unit_test_setup_teardown(counts_processors, fresh, done),
		cmocka_unit_test_setup_teardown(lists_enabled_processors, fresh, done),
		cmocka_unit_test_setup_teardown(lists_as_many_as_there_are, fresh, done),
		cmocka_unit_test_setup_teardown(lists_io_apics, fresh, done),
		cmocka_unit_test_setup_teardown(lists_no_more_than_fit, fresh, done),
		cmocka_unit_test_setup_teardown(takes_tables_with_bad_sums, fresh, done),
		cmocka_unit_test_setup_teardown(lists_those_of_both_roots, fresh, done),
		cmocka_unit_test_setup_teardown(falls_back_to_the_old_root, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_broken_tables, fresh, done),
		cmocka_unit_test_setup_teardown(asks_efi, fresh, done),
		cmocka_unit_test_setup_teardown(survives_random_tables, fresh, done),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
