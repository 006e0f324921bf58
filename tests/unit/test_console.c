/*
 * boot/console.c: what of a screen is used and what is refused, in which words; and which serial
 * port is taken. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "tests/unit/arena.h"

#define APIC 0xfee00000u

static uint64_t fake_rdmsr(uint32_t msr)
{
	assert_int_equal(msr, MSR_APIC_BASE);
	return APIC | APIC_BASE_ENABLE | APIC_BASE_BSP;
}
#define rdmsr fake_rdmsr
#include "boot/console.c"

#define MEMORY 0x110000ull
#define RSDP   0xf5a30ull
#define RSDT   0x20000ull
#define SPCR   0x21000ull
#define IVRS   0x22000ull
#define MADT   0x23000ull
#define MIB    (1ull << 20)

static struct boot_info info;
static struct config config;
static enum { NO_SCREEN, PIXELS, TEXT } used;
static bool in_a_display, text_is_on, bios;
static uint16_t uarts[4], port;
static char said[512];

bool pci_find_display(uint64_t base, uint64_t bytes, struct pci_memory *found)
{
	assert_true(base == info.screen.base);
	assert_true(bytes == framebuffer_bytes(&info.screen));
	found->function = 0x10;
	return in_a_display;
}

void screen_use_pixels(const struct framebuffer *framebuffer, const struct pci_memory *memory)
{
	assert_ptr_equal(framebuffer, &info.screen);
	assert_int_equal(memory->function, 0x10);
	used = PIXELS;
}

void screen_use_text(void)
{
	used = TEXT;
}

bool vga_text_is_on(void)
{
	return text_is_on;
}

bool bios_is_there(void)
{
	return bios;
}

bool serial_answers(uint16_t at)
{
	for (unsigned int i = 0; i < sizeof(uarts) / sizeof(uarts[0]); i++) {
		if (at && at == uarts[i])
			return true;
	}
	return false;
}

void serial_use(uint16_t at)
{
	port = at;
}

uint16_t serial_port(void)
{
	return port;
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

static void put_tables(void)
{
	put32(RSDT + 36, SPCR);
	put32(RSDT + 40, IVRS);
	put32(RSDT + 44, MADT);
	put_acpi_table(RSDT, "RSDT", 48);
	put_rsdp(RSDP, 0, RSDT, 0);
	put8(IVRS + 48, 0x10); /* an IOMMU at fd800000 */
	put16(IVRS + 50, 24);
	put64(IVRS + 56, 0xfd800000);
	put_acpi_table(IVRS, "IVRS", 72);
	put8(MADT + 44, 1); /* an I/O APIC at fec00000 */
	put8(MADT + 45, 12);
	put32(MADT + 48, 0xfec00000);
	put_acpi_table(MADT, "APIC", 56);
}

/* A screen of 1024 by 768 at e0000000, 3 MiB, in a machine of 256 MiB. */
static int fresh(void **state)
{
	static const struct boot_info good = {
		.rsdp = RSDP,
		.range_count = 3,
		.ranges = {{0, 256 * MIB, MEM_USABLE, 0},
	                   {0xe0000000, 16 * MIB, MEM_RESERVED, 0},
	                   {0x100000000, 1024 * MIB, MEM_PERSISTENT, 0}},
		.screen_kind = SCREEN_PIXELS,
		.screen = {.base = 0xe0000000,
	                   .pitch = 4096,
	                   .width = 1024,
	                   .height = 768,
	                   .bits = 32,
	                   .red = {16, 8},
	                   .green = {8, 8},
	                   .blue = {0, 8}},
	};

	(void)state;
	arena_new(MEMORY);
	put_tables();
	info = good;
	memset(&config, 0, sizeof(config));
	memset(uarts, 0, sizeof(uarts));
	in_a_display = true;
	text_is_on = bios = false;
	said[0] = '\0';
	used = NO_SCREEN;
	port = 0;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

/* L1 is not told of it, either. */
static void refused(const char *why)
{
	uint32_t kind = info.screen_kind;

	used = NO_SCREEN;
	said[0] = '\0';
	console_find_screen(&info, true);
	console_choose(&config, info.rsdp);
	assert_int_equal(info.screen_kind, SCREEN_UNKNOWN);
	info.screen_kind = kind;
	assert_int_equal(used, NO_SCREEN);
	if (!strstr(said, why) || !strstr(said, "it is not used"))
		fail_msg("\"%s\" does not say \"%s\"", said, why);
}

static void takes_pixels(void **state)
{
	(void)state;
	console_find_screen(&info, true);
	console_choose(&config, info.rsdp);
	assert_int_equal(used, PIXELS);
	assert_string_equal(said, "");
}

static void lies_at(uint64_t base, const char *why)
{
	info.screen.base = base;
	refused(why);
}

static void refuses_what_is_something_else(void **state)
{
	(void)state;
	lies_at(128 * MIB, "at 8000000 lies in memory");
	lies_at(256 * MIB - 4, "lies in memory");
	lies_at(0x100000000 - 3 * MIB + 4, "lies in memory"); /* its last word */
	lies_at(0x100000000 + 1023 * MIB, "lies in memory");
	lies_at(0xfee00000, "lies on an APIC");
	lies_at(0xfee00000 - 3 * MIB + 4, "lies on an APIC");
	lies_at(0xfec00000 - 2 * MIB, "lies on an APIC");
	lies_at(0xfd800000, "lies on an IOMMU");
	lies_at(0xfd800000 + (512 << 10) - 4, "lies on an IOMMU");
	lies_at(0xfd800000 - 3 * MIB + 4, "lies on an IOMMU");
	lies_at(UINT64_MAX - 3, "lies at an address that cannot be");
	lies_at(0xe0000001, "lies at an address that cannot be");
	in_a_display = false;
	lies_at(0xe0000000, "at e0000000 lies in no display's memory");
}

static void refuses_what_is_no_screen(void **state)
{
	(void)state;
	info.screen.bits = 8;
	refused("has a number of bits per pixel");
	info.screen.bits = 32;
	info.screen.pitch = 16;
	refused("has rows that overlap");
	info.screen.pitch = 65536;
	info.screen.width = info.screen.height = 16384;
	refused("is larger than Nestling can map");
	info.screen_kind = SCREEN_PALETTE;
	refused("palette");
	info.screen_kind = SCREEN_BLT;
	refused("has no framebuffer");
	info.screen_kind = SCREEN_BROKEN;
	refused("is told in a way that Nestling does not know");
	info.screen_kind = 77;
	refused("is told in a way that Nestling does not know");
}

/* Nobody told of one. */
static void finds_text(void **state)
{
	(void)state;
	info.screen_kind = SCREEN_UNKNOWN;
	console_find_screen(&info, true);
	assert_int_equal(used, NO_SCREEN);
	put8(0x449, 3);
	for (unsigned int i = 0; i < 4; i++) {
		used = NO_SCREEN;
		bios = i & 1;
		text_is_on = i & 2;
		console_find_screen(&info, true);
		assert_int_equal(used, i == 3 ? TEXT : NO_SCREEN);
	}
	put8(0x449, 0x13);
	used = NO_SCREEN;
	console_find_screen(&info, true);
	console_choose(&config, info.rsdp);
	assert_int_equal(used, NO_SCREEN);
	assert_string_equal(said, ""); /* a machine may have none */
}

static void takes_text(void **state)
{
	(void)state;
	info.screen_kind = SCREEN_TEXT;
	info.screen =
		(struct framebuffer){.base = 0xb8000, .width = 80, .height = 25, .pitch = 160};
	refused("shows no text");
	text_is_on = true;
	console_find_screen(&info, true);
	assert_int_equal(used, TEXT);
	info.screen.width = 132;
	refused("shows no text");
	info.screen.width = 80;
	lies_at(0xb0000, "shows no text");
}

static void serial(uint16_t expected)
{
	said[0] = '\0';
	console_begin();
	console_choose(&config, info.rsdp);
	assert_int_equal(port, expected);
}

static void put_spcr(uint8_t type, uint64_t address)
{
	put8(SPCR + 36, type);
	put8(SPCR + 40, 1);
	put64(SPCR + 44, address);
	put_acpi_table(SPCR, "SPCR", 80);
}

static void takes_serial(void **state)
{
	(void)state;
	info.screen_kind = SCREEN_UNKNOWN;
	console_find_screen(&info, true);
	serial(0); /* no UART anywhere */
	uarts[0] = 0x3f8;
	serial(0x3f8);
	uarts[1] = 0x2f8;
	put_spcr(0, 0x2f8);
	serial(0x2f8);
	assert_string_equal(said, "");
	uarts[0] = 0;
	serial(0x2f8);
	uarts[0] = 0x3f8;
	uarts[1] = 0;
	serial(0x3f8);
	assert_non_null(strstr(said, "(type 0, space 1, address 2f8) does not answer"));
	put_spcr(3, 0x2f8);
	serial(0x3f8);
	assert_non_null(strstr(said, "is none that Nestling knows"));
	put_spcr(0, 0); /* the firmware does not talk */
	serial(0x3f8);
	assert_string_equal(said, "");
}

/* The words decide: nothing is asked then. */
static void obeys_words(void **state)
{
	(void)state;
	info.screen_kind = SCREEN_UNKNOWN;
	console_find_screen(&info, true);
	uarts[0] = 0x3f8;
	put_spcr(0, 0x2f8);
	config.serial_given = true;
	serial(0);
	config.serial_port = 0x3e8;
	serial(0x3e8);
	assert_string_equal(said, "");

	info.screen_kind = SCREEN_PIXELS; /* screen=off */
	console_find_screen(&info, false);
	assert_int_equal(used, NO_SCREEN);
	assert_int_equal(info.screen_kind, SCREEN_PIXELS); /* L1 has it all the same */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_pixels),
		TEST(refuses_what_is_something_else),
		TEST(refuses_what_is_no_screen),
		TEST(finds_text),
		TEST(takes_text),
		TEST(takes_serial),
		TEST(obeys_words),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
