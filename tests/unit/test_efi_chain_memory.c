/*
 * boot/efi/chain_memory.c: what L0 gets of the firmware's memory is enough for what boot/start.c
 * will want, on every machine, for then there is no way back; and what is left is the firmware's
 * again. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/chain.h"
#include "boot/layout.h"
#include "hv/iommu.h"
#include "hv/iommu_tables.h"
#include "hv/x86.h"
#include "mmu/mmu.h"
#include "mmu/track.h"
#include "tests/unit/arena.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define AT  0x40000000ull /* where the firmware gives memory */

enum { DESCRIPTORS = 1200, FREED = 4 };

static EFI_MEMORY_DESCRIPTOR descriptors[DESCRIPTORS];
static UINTN descriptor_count;
static uint64_t given, room; /* bytes; room: so many there are in one piece */
static struct mem_range freed[FREED];
static unsigned int freed_count;

static EFI_STATUS EFIAPI get_memory_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *map, UINTN *key,
                                        UINTN *each, UINT32 *version)
{
	UINTN all = descriptor_count * sizeof(*map), had = *bytes;

	*bytes = all;
	*key = 0;
	*each = sizeof(*map);
	*version = 1;
	if (had < all)
		return EFI_BUFFER_TOO_SMALL;
	memcpy(map, descriptors, all);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages,
                                        EFI_PHYSICAL_ADDRESS *at)
{
	assert_int_equal(how, AllocateMaxAddress);
	assert_int_equal(type, EfiReservedMemoryType);
	assert_int_equal(*at, SIZE_4G - 1);
	if (pages * PAGE_SIZE > room)
		return EFI_OUT_OF_RESOURCES;
	given = pages * PAGE_SIZE;
	*at = AT;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS at, UINTN pages)
{
	assert_true(freed_count < FREED);
	freed[freed_count].base = at;
	freed[freed_count++].size = pages * PAGE_SIZE;
	return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES boot_services = {
	.GetMemoryMap = get_memory_map, .AllocatePages = allocate_pages, .FreePages = free_pages};
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services};
EFI_SYSTEM_TABLE *efi = &table;

void efi_error(const char *format, ...)
{
	(void)format;
	fail();
}

/* No tables are made here, only counted. */
void *heap_pages(uint64_t pages)
{
	(void)pages;
	abort();
}

uint64_t hpa_of(const void *at)
{
	(void)at;
	abort();
}

static struct config config;
static struct boot_info info;

static int fresh(void **state)
{
	(void)state;
	arena_new(MIB);
	descriptor_count = freed_count = 0;
	given = 0;
	room = SIZE_4G;
	memset(&config, 0, sizeof(config));
	memset(&info, 0, sizeof(info));
	info.chain.count = 1;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void memory(uint64_t base, uint64_t end_of_it, UINT32 type)
{
	descriptors[descriptor_count++] = (EFI_MEMORY_DESCRIPTOR){
		.Type = type,
		.PhysicalStart = base,
		.NumberOfPages = (end_of_it - base) / PAGE_SIZE,
	};
}

/* boot/start.c, choose_layout(). */
static uint64_t need(uint64_t size, uint64_t memory_end, uint64_t others)
{
	enum {
		IMAGE = 1 << 20,
		HEAP = 96,
		VCPU_KIB = 200 + 16 * 4, /* svm/start/new_vcpu.c; with STRICT, more VMCBs */
		WINDOW_EDGES = 4 * (BOOT_MAX_RANGES / 2 + 8), /* two tables for both ends */
		PHYS_BITS = 48,
		UNITS = 4,
		START_BYTES = 1024, /* of each in lists, and what it begins with */
	};
	uint64_t pool = config.pool_bytes      ? config.pool_bytes
	                : size / 64 > 64 * MIB ? 64 * MIB
	                                       : size / 64;
	uint64_t all, giants = (memory_end >> 30) + 4; /* a table each, without pages of 1 GiB */

	pool = (pool < MIB ? MIB : pool) + others * POOL_EACH;
	all = IMAGE + (HEAP + WINDOW_EDGES + giants) * PAGE_SIZE + others * START_BYTES +
	      others * VCPU_KIB * 1024 + pool + track_metadata_size(memory_end);
	all += (iommu_tables_pages(PHYS_BITS, 2 + UNITS, all) + UNITS * IOMMU_UNIT_PAGES) *
	       PAGE_SIZE;
	return all + 2 * SIZE_2M; /* it begins and ends on such a page */
}

static void enough_for_every_machine(void **state)
{
	static const uint64_t sizes[] = {64 * MIB, 256 * MIB, GIB,        3 * GIB,   16 * GIB,
	                                 64 * GIB, 512 * GIB, 1024 * GIB, 2048 * GIB};
	static const uint64_t pools[] = {0, 1, 64 * MIB, GIB};
	static const uint32_t others[] = {0, 1, 15, 255, 1023};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned int j = 0; j < sizeof(pools) / sizeof(*pools); j++)
			for (unsigned int k = 0; k < sizeof(others) / sizeof(*others); k++) {
				uint64_t low = sizes[i] < 3 * GIB ? sizes[i] : 3 * GIB;
				uint64_t last = low;

				fresh(state);
				config.pool_bytes = pools[j];
				info.chain.count = 1 + others[k];
				memory(0, low, EfiConventionalMemory);
				if (sizes[i] > low) {
					last = SIZE_4G + sizes[i] - low;
					memory(SIZE_4G, last, EfiConventionalMemory);
				}
				assert_null(chain_take_memory(&config, &info));
				assert_true(given >= need(sizes[i], last, others[k]));
				assert_int_equal(info.chain.memory_base, AT);
				assert_int_equal(info.chain.memory_size, given);
				end(state);
			}
}

/* Up to where L0 keeps something of each frame: behind ordinary memory, too. */
static void up_to_the_end_of_memory(void **state)
{
	enum { EFI_PERSISTENT = 14 };
	static const UINT32 types[] = {EFI_PERSISTENT, EfiACPIMemoryNVS, EfiACPIReclaimMemory,
	                               EfiRuntimeServicesData, EfiRuntimeServicesCode};
	static const UINT32 none[] = {EfiReservedMemoryType, EfiMemoryMappedIO, EfiUnusableMemory};
	uint64_t least;

	memory(0, GIB, EfiConventionalMemory);
	assert_null(chain_take_memory(&config, &info));
	least = given;
	assert_true(least < need(GIB, 16 * GIB, 0) + 16 * MIB);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++) {
		fresh(state);
		memory(0, GIB, EfiConventionalMemory);
		memory(15 * GIB, 16 * GIB, types[i]);
		assert_null(chain_take_memory(&config, &info));
		assert_true(given >= least + track_metadata_size(15 * GIB));
		end(state);
	}
	for (unsigned int i = 0; i < sizeof(none) / sizeof(*none); i++) {
		fresh(state);
		memory(0, GIB, EfiConventionalMemory);
		memory(15 * GIB, 16 * GIB, none[i]);
		assert_null(chain_take_memory(&config, &info));
		assert_int_equal(given, least);
		end(state);
	}
	fresh(state);
}

/* What runs in the firmware's own code may have to be read by L0: the core gets the map. */
static void the_core_knows_the_map(void **state)
{
	(void)state;
	memory(0, GIB, EfiConventionalMemory);
	memory(GIB, GIB + MIB, EfiRuntimeServicesCode);
	assert_null(chain_take_memory(&config, &info));
	assert_int_equal(info.efi.map_bytes, 2 * sizeof(*descriptors));
	assert_int_equal(info.efi.descriptor_bytes, sizeof(*descriptors));
	assert_memory_equal(info.efi.map, descriptors, info.efi.map_bytes);
	assert_int_equal(info.range_count, 2);
	assert_int_equal(info.ranges[1].type, MEM_RESERVED); /* as e820 has it */
}

static void what_is_too_much(void **state)
{
	(void)state;
	memory(0, GIB, EfiConventionalMemory);
	room = 8 * MIB;
	assert_non_null(strstr(chain_take_memory(&config, &info), "make pool= smaller"));
	fresh(state);
	config.pool_bytes = 4 * GIB; /* more than there can be */
	memory(0, GIB, EfiConventionalMemory);
	assert_non_null(strstr(chain_take_memory(&config, &info), "make pool= smaller"));
	fresh(state);
	for (uint64_t i = 0; i < BOOT_MAX_RANGES + 1; i++)
		memory(2 * i * MIB, (2 * i + 1) * MIB, EfiConventionalMemory);
	assert_non_null(strstr(chain_take_memory(&config, &info), "larger than Nestling knows"));
	fresh(state);
	for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++) {
		memory(2 * i * MIB, (2 * i + 1) * MIB, EfiConventionalMemory);
		memory(2 * i * MIB, 2 * i * MIB + PAGE_SIZE, EfiRuntimeServicesData);
	}
	assert_non_null(strstr(chain_take_memory(&config, &info), "larger than Nestling knows"));
	assert_int_equal(given, 0);
}

static void gives_back_what_is_left(void **state)
{
	static const struct {
		uint64_t taken, size;
		struct mem_range freed[2];
	} rows[] = {
		{0, 0, {{AT, 32 * MIB, 0, 0}}},
		{AT + 8 * MIB, 4 * MIB, {{AT, 8 * MIB, 0, 0}, {AT + 12 * MIB, 20 * MIB, 0, 0}}},
		{AT, 4 * MIB, {{AT + 4 * MIB, 28 * MIB, 0, 0}}},
		{AT + 28 * MIB, 4 * MIB, {{AT, 28 * MIB, 0, 0}}},
		{AT, 32 * MIB, {{0, 0, 0, 0}}},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned int count = 0;

		freed_count = 0;
		info.chain.memory_base = AT;
		info.chain.memory_size = 32 * MIB;
		info.chain.taken_base = rows[i].taken;
		info.chain.taken_size = rows[i].size;
		chain_give_back(&info);
		while (count < 2 && rows[i].freed[count].size) {
			assert_int_equal(freed[count].base, rows[i].freed[count].base);
			assert_int_equal(freed[count].size, rows[i].freed[count].size);
			count++;
		}
		assert_int_equal(freed_count, count);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enough_for_every_machine),
		TEST(up_to_the_end_of_memory),
		TEST(the_core_knows_the_map),
		TEST(what_is_too_much),
		TEST(gives_back_what_is_left),
	};

	return cmocka_run_group_tests_name("efi_chain_memory", tests, NULL, NULL);
}
