/*
 * boot/dma.c: which IOMMUs are used, what is kept from devices and from L1, and what is said about
 * it. What it calls are fakes, which note that as text. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/dma.c"

enum { REGISTERS = 0x4000, TABLES = 0x7000, CONFIG = 0x9000 };
enum { L0 = 0x4000000, L0_SIZE = 0x200000, L0_MORE_SIZE = 0x400000 };
#define UNIT    0xfeb80000ull
#define UNIT_2  0xfec80000ull
#define L0_MORE 0x100000000ull

struct features features = {.phys_bits = 40};

static enum ivrs_result result;
static struct iommu_unit found[IOMMU_UNITS_MAX];
static unsigned int found_count, broken; /* broken: the unit at this index + 1 does not start */
static uint64_t silent;                  /* the unit at this base does not answer */
static bool page_is_kept, can_hide;
static char said[1024], done[1024];

static void note(char *text, size_t size, const char *format, va_list args)
{
	size_t at = strlen(text);

	vsnprintf(text + at, size - at, format, args);
}

static void did(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(done, sizeof(done), format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(said, sizeof(said), format, args);
	va_end(args);
	strcat(said, "\n");
}

void log_debug(const char *format, ...)
{
	(void)format;
}

enum ivrs_result ivrs_units(uint64_t rsdp, struct iommu_unit *list, unsigned int *number)
{
	(void)rsdp;
	memcpy(list, found, sizeof(found));
	*number = found_count;
	return result;
}

void ivrs_memory(uint64_t rsdp, void (*keep)(uint64_t base, uint64_t size))
{
	(void)rsdp;
	keep(0x5000, 0x1000);
}

void ivrs_devices(uint64_t rsdp, ivrs_pass *each, void *context)
{
	(void)rsdp;
	each(context, 8, 9, 3);
}

bool ivrs_hide(uint64_t rsdp)
{
	did("hide(%llx) ", (unsigned long long)rsdp);
	return can_hide;
}

uint64_t iommu_registers_size(uint64_t base)
{
	return base == silent ? 0 : REGISTERS;
}

uint64_t iommu_tables_pages(unsigned int bits, unsigned int number, uint64_t bytes)
{
	assert_int_equal(bits, features.phys_bits);
	return number * 100 + bytes / PAGE_SIZE;
}

uint64_t iommu_pages_build(unsigned int bits, const struct iommu_range *kept, unsigned int number)
{
	assert_int_equal(bits, features.phys_bits);
	for (unsigned int i = 0; i < number; i++)
		did("%llx-%llx ", (unsigned long long)kept[i].base,
		    (unsigned long long)kept[i].end);
	return 0x1000;
}

uint64_t iommu_devices_build(uint64_t root)
{
	assert_int_equal(root, 0x1000);
	return TABLES;
}

void iommu_devices_pass(uint64_t devices, uint16_t first, uint16_t last, uint8_t what)
{
	assert_int_equal(devices, TABLES);
	did("%u-%u:%u ", first, last, what);
}

bool iommu_start(const struct iommu_unit *unit, uint64_t devices)
{
	assert_int_equal(devices, TABLES);
	did("start(%llx) ", (unsigned long long)unit->base);
	return !broken || unit->base != found[broken - 1].base;
}

void l1_memory_hide(uint64_t base, uint64_t size)
{
	assert_int_equal(size, REGISTERS);
	did("registers(%llx) ", (unsigned long long)base);
}

void iommu_config_keep_function(uint16_t function)
{
	did("function(%x) ", function);
}

bool iommu_config_keep_page(uint64_t hpa)
{
	did("page(%llx) ", (unsigned long long)hpa);
	return page_is_kept;
}

uint64_t acpi_pci_page(uint64_t rsdp, uint16_t segment, uint16_t function)
{
	(void)rsdp;
	(void)function;
	return segment ? 0 : CONFIG;
}

static void keep(uint64_t base, uint64_t size)
{
	did("keep(%llx,%llx) ", (unsigned long long)base, (unsigned long long)size);
}

static bool any_page(uint64_t hpa)
{
	(void)hpa;
	return true;
}

static int setup(void **state)
{
	(void)state;
	result = IVRS_FOUND;
	memset(found, 0, sizeof(found));
	found[0] = (struct iommu_unit){.base = UNIT, .function = 2};
	found[1] = (struct iommu_unit){.base = UNIT_2, .function = 3, .segment = 1};
	found_count = 2;
	silent = broken = 0;
	page_is_kept = can_hide = true;
	said[0] = done[0] = '\0';
	return 0;
}

static void run(uint32_t highest_id)
{
	const struct layout layout = {.below = {L0, L0_SIZE}, .above = {L0_MORE, L0_MORE_SIZE}};

	dma_find(0x1234, keep);
	dma_keep_out(0x1234, &layout, any_page, highest_id);
}

static void takes_all(void **state)
{
	(void)state;
	run(254);
	assert_string_equal(done, "keep(5000,1000) 4000000-4200000 100000000-100400000 "
	                          "feb80000-feb84000 fec80000-fec84000 8-9:3 "
	                          "registers(feb80000) page(9000) function(2) start(feb80000) "
	                          "registers(fec80000) start(fec80000) hide(1234) ");
	assert_string_equal(said, "2 IOMMUs: devices are kept out of Nestling's memory\n");
	assert_int_equal(dma_pages(4 * PAGE_SIZE), (2 + 2) * 100 + 4 + 2 * IOMMU_UNIT_PAGES);
}

static void says_what_hiding_costs(void **state)
{
	(void)state;
	run(255);
	assert_non_null(strstr(said, "without interrupt remapping L1's devices reach no processor "
	                             "whose APIC id is above 254"));
}

/* One that cannot be used: none is, nothing is kept, and it is said why. */
static void takes_none(const char *why)
{
	run(0);
	assert_string_equal(done, "");
	assert_non_null(strstr(said, why));
	assert_non_null(strstr(said, ": devices are not kept out of Nestling's memory\n"));
	assert_int_equal(dma_pages(PAGE_SIZE), 0);
}

static void names_what_it_cannot_use(void **state)
{
	result = IVRS_BROKEN;
	takes_none("the IVRS is broken");
	setup(state);
	result = IVRS_TOO_MANY;
	takes_none("the IVRS names more IOMMUs than Nestling knows");
	setup(state);
	silent = UNIT_2;
	takes_none("the IOMMU at fec80000 does not answer\n");
	for (unsigned int i = 0; i < 3; i++) {
		const uint64_t bases[] = {0, UNIT_2 + 0x100, SIZE_4G};

		setup(state);
		found[1].base = bases[i];
		takes_none("is where Nestling cannot reach it\n");
	}
}

static void without_ivrs_nothing_is_said(void **state)
{
	(void)state;
	result = IVRS_NONE;
	found_count = 0;
	run(255);
	assert_string_equal(done, "");
	assert_string_equal(said, "");
}

static void names_one_that_fails(void **state)
{
	(void)state;
	broken = 1;
	page_is_kept = can_hide = false;
	run(0);
	assert_non_null(strstr(done, "start(fec80000) hide"));
	assert_non_null(strstr(said, "the IOMMU's configuration at 9000 cannot be kept from L1\n"));
	assert_non_null(strstr(said, "the IOMMU at feb80000 does not do what it should"));
	assert_non_null(strstr(said, "the IVRS cannot be hidden"));
	assert_null(strstr(said, "are kept out"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(takes_all, setup),
		cmocka_unit_test_setup(says_what_hiding_costs, setup),
		cmocka_unit_test_setup(names_what_it_cannot_use, setup),
		cmocka_unit_test_setup(without_ivrs_nothing_is_said, setup),
		cmocka_unit_test_setup(names_one_that_fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
