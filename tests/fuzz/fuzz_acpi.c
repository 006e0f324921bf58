/*
 * libFuzzer's way into ACPI's tables: the input is a byte of choices and tables, each behind its
 * length in two bytes. Checksums are made right where a table holds what its header says, so that
 * more than these are tried, and what lies behind a table's end is poisoned. Relies on
 * tests/unit/arena.h.
 */
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/acpi_sleep.h"
#include "boot/acpi_devices.h"
#include "boot/ids.h"
#include "boot/ivrs.h"
#include "boot/l1_ranges.h"
#include "tests/fuzz/boot_fuzz.h"
#include "tests/unit/arena.h"

enum {
	RSDP = 0xf0000,
	ROOT = 0x10000,
	TABLES = 0x100000,
	TABLE_ROOM = 0x10000, /* as much as two bytes can say */
	TABLES_MAX = 8,
	TOO_LONG = 1 << 24,
	HEADER = 36,
	IDS_MAX = 16,
	WITH_XSDT = 1 << 0,
	NO_ROOT = 1 << 1,
	BROKEN_SUMS = 1 << 2,
};

static void add_to_root(uint32_t count, uint32_t pointer, uint32_t value, const char *name)
{
	uint32_t at_entry = ROOT + HEADER + count * pointer;

	if (pointer == sizeof(uint64_t))
		put64(at_entry, value);
	else
		put32(at_entry, value);
	put_acpi_table(ROOT, name, HEADER + (count + 1) * pointer);
}

/* A DSDT is the table behind its FADT, or anywhere but amid a table. */
static void mend_dsdt(uint32_t fadt, uint32_t field)
{
	uint32_t dsdt = get32(fadt + field);

	if (!dsdt)
		put32(fadt + field, fadt + TABLE_ROOM);
	else
		put32(fadt + field, dsdt & ~(TABLE_ROOM - 1u));
}

/* Lays the tables out. */
static void lay_out(const uint8_t *data, size_t size, uint8_t choices)
{
	uint32_t pointer = choices & WITH_XSDT ? 8 : 4;
	const char *name = choices & WITH_XSDT ? "XSDT" : "RSDT";

	put_acpi_table(ROOT, name, HEADER);
	for (uint32_t i = 0; i < TABLES_MAX && size >= 2; i++) {
		uint32_t table = TABLES + i * TABLE_ROOM, told;
		size_t length = data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		memcpy(at(table), data, length);
		data += length;
		size -= length;
		if (!memcmp(at(table), "FACP", 4)) {
			mend_dsdt(table, 40);
			mend_dsdt(table, 140);
		}
		told = get32(table + 4);
		if (told > TABLE_ROOM)
			put32(table + 4, TOO_LONG); /* its sum is nothing to read */
		if (told < HEADER || told > TABLE_ROOM)
			told = HEADER; /* which is read anyway */
		else if (!(choices & BROKEN_SUMS))
			put_checksum(table, 9, told);
		ASAN_POISON_MEMORY_REGION(at(table + told), TABLE_ROOM - told);
		add_to_root(i, pointer, table, name);
	}
}

static void check_pass(void *context, uint16_t first, uint16_t last, uint8_t what)
{
	(void)what;
	check(context && first <= last);
}

static void check_keep(uint64_t base, uint64_t size)
{
	check(size && base + size > base);
}

static void check_ivrs(void)
{
	static struct iommu_unit units[IOMMU_UNITS_MAX];
	unsigned int count;

	ivrs_units(RSDP, units, &count);
	check(count <= IOMMU_UNITS_MAX);
	ivrs_devices(RSDP, check_pass, units);
	ivrs_memory(RSDP, check_keep);
	check(ivrs_hide(RSDP) && !acpi_find_table(RSDP, "IVRS"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sleep_states states;
	static struct memmap map;
	uint32_t ids[IDS_MAX];
	unsigned int count;

	if (!size)
		return -1;
	flat_once();
	memset(at(TABLES), 0, TABLES_MAX * TABLE_ROOM);
	memset(at(ROOT), 0, HEADER + 8 * TABLES_MAX);
	put_rsdp(RSDP, data[0] & WITH_XSDT ? 2 : 0, data[0] & WITH_XSDT ? 0 : ROOT, ROOT);
	lay_out(data + 1, size - 1, data[0]);
	count = acpi_cpu_ids(data[0] & NO_ROOT ? ROOT : RSDP, ids, IDS_MAX);
	check(count <= IDS_MAX);
	count = ids_sort(ids, count);
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int j = 0; j < i; j++)
			check(ids[i] != ids[j]);
	map.count = 0;
	memmap_add(&map, 0, 1ull << 30, MEM_USABLE);
	memmap_add(&map, 0xf0000000, 1ull << 28, MEM_RESERVED);
	l1_ranges_add(&map, RSDP);
	check_map(&map);
	check(memmap_covers(&map, 0, 1ull << 30, MEM_USABLE));
	for (uint32_t i = 0; i < map.count; i++)
		check(map.range[i].type != MEM_HOTPLUG || map.range[i].base >= 1ull << 32);
	acpi_sleep_states(RSDP, &states);
	check_ivrs();
	acpi_pci_page(RSDP, 0, 8);
	ASAN_UNPOISON_MEMORY_REGION(at(TABLES), TABLES_MAX * TABLE_ROOM);
	acpi_rsdp_from_efi(TABLES, data[0] & WITH_XSDT);
	check(acpi_find_rsdp() == RSDP);
	return 0;
}
