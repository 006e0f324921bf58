/*
 * boot/efi/watchdog.c on chipsets that no emulator has: AMD's FCH by ports and by memory, and the
 * registers that ACPI's WDRT names. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "tests/unit/arena.h"

static uint8_t fake_inb(uint16_t port);
static void fake_outb(uint16_t port, uint8_t value);
static uint16_t fake_inw(uint16_t port);
static void fake_outw(uint16_t port, uint16_t value);
static uint32_t fake_inl(uint16_t port);
static void fake_outl(uint16_t port, uint32_t value);
#define inb  fake_inb
#define outb fake_outb
#define inw  fake_inw
#define outw fake_outw
#define inl  fake_inl
#define outl fake_outl
#define at   register_at /* arena.h has one, too */
#include "boot/efi/watchdog.c"
#undef at

enum { RSDP = 0x1000, RSDT = 0x1100, WDRT = 0x1200, CONTROL = 0x2000, COUNT = 0x3000 };
enum { PM_REGISTERS = 256 };

static uint32_t id, revision, pci_address; /* of the SMBus function */
static uint8_t pm[PM_REGISTERS], pm_index; /* by ports */
static uint8_t pm_fixed[PM_REGISTERS];     /* bits that cannot be set */
static unsigned int pm_accesses;

static uint8_t fake_inb(uint16_t port)
{
	assert_int_equal(port, PORT_PM_DATA);
	pm_accesses++;
	return pm[pm_index];
}

static void fake_outb(uint16_t port, uint8_t value)
{
	if (port == PORT_PM_INDEX) {
		pm_index = value;
		return;
	}
	assert_int_equal(port, PORT_PM_DATA);
	pm_accesses++;
	pm[pm_index] = value & ~pm_fixed[pm_index];
}

static uint32_t fake_inl(uint16_t port)
{
	assert_int_equal(port, PCI_PORT_DATA);
	if (pci_address == (PCI_ENABLE | FCH_SMBUS << 8 | PCI_ID))
		return id;
	if (pci_address == (PCI_ENABLE | FCH_SMBUS << 8 | PCI_CLASS))
		return 0x0c050000 | revision;
	return 0xffffffff; /* no ICH9 */
}

static void fake_outl(uint16_t port, uint32_t value)
{
	assert_int_equal(port, PCI_PORT_ADDRESS);
	pci_address = value;
}

static uint16_t fake_inw(uint16_t port)
{
	fail_msg("port %x is read", port);
	return 0;
}

static void fake_outw(uint16_t port, uint16_t value)
{
	fail_msg("port %x is written: %x", port, value);
}

static const char *start_for(uint32_t seconds, uint64_t rsdp)
{
	return watchdog_start(&seconds, rsdp);
}

static int fresh(void **state)
{
	(void)state;
	arena_new_flat();
	memset(pm, 0, sizeof(pm));
	memset(pm_fixed, 0, sizeof(pm_fixed));
	pm_accesses = 0;
	id = revision = 0xff;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static void has_started(uint32_t seconds, uint32_t before)
{
	assert_int_equal(get32(FCH_WATCHDOG + COUNT_AT), seconds);
	assert_int_equal(get32(FCH_WATCHDOG),
	                 (before & ~(uint32_t)CONTROL_POWER_OFF & ~(uint32_t)CONTROL_FIRED) |
	                         CONTROL_RUN | CONTROL_TRIGGER);
}

static void fch_by_ports(void **state)
{
	static const struct {
		uint32_t id, revision;
	} machines[] = {
		{FCH_HUDSON, FCH_HUDSON_FIRST},
		{FCH_HUDSON, 0xff},
		{FCH_KERNCZ, FCH_KERNCZ_FIRST},
		{FCH_KERNCZ, FCH_KERNCZ_MMIO - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		id = machines[i].id;
		revision = machines[i].revision;
		pm[PM_DECODE] = 0x41;
		pm[PM_WATCHDOG] = 0xf0 | PM_WATCHDOG_OFF;
		put32(FCH_WATCHDOG, CONTROL_FIRED | CONTROL_POWER_OFF | 1u << 20);
		assert_string_equal(start_for(600, 0), "FCH");
		assert_int_equal(pm[PM_DECODE], 0x41 | PM_DECODE_WATCHDOG);
		assert_int_equal(pm[PM_WATCHDOG], 0xf0 | PM_WATCHDOG_SECONDS);
		has_started(600, 1u << 20);
	}
	assert_string_equal(start_for(COUNT_MOST + 1, 0), "FCH");
	has_started(COUNT_MOST, 1u << 20);
	assert_int_equal(get32(FCH_PM_MMIO), 0); /* these machines have none there */
}

static void fch_by_memory(void **state)
{
	(void)state;
	id = FCH_KERNCZ;
	revision = FCH_KERNCZ_MMIO;
	put8(FCH_PM_MMIO + PM_DECODE, 0x02);
	put8(FCH_PM_MMIO + PM_WATCHDOG, 0x50 | PM_WATCHDOG_OFF);
	assert_string_equal(start_for(1, 0), "FCH");
	assert_int_equal(*(uint8_t *)at(FCH_PM_MMIO + PM_DECODE), 0x02 | PM_DECODE_WATCHDOG);
	assert_int_equal(*(uint8_t *)at(FCH_PM_MMIO + PM_WATCHDOG), 0x50 | PM_WATCHDOG_SECONDS);
	has_started(1, 0);
	assert_int_equal(pm_accesses, 0); /* these ports are another device's by now */
}

static void no_fch(void **state)
{
	(void)state;
	assert_null(start_for(600, 0));
	id = FCH_HUDSON;
	revision = FCH_HUDSON_FIRST - 1;
	assert_null(start_for(600, 0));
	id = FCH_KERNCZ;
	revision = FCH_KERNCZ_FIRST - 1;
	assert_null(start_for(600, 0));
	assert_int_equal(pm_accesses, 0);
	revision = FCH_KERNCZ_FIRST;
	pm_fixed[PM_DECODE] = PM_DECODE_WATCHDOG; /* then the registers are not there */
	assert_null(start_for(600, 0));
	assert_int_equal(get32(FCH_WATCHDOG), 0);
	pm_fixed[PM_DECODE] = 0;
	put32(FCH_WATCHDOG, CONTROL_DISABLED);
	assert_null(start_for(600, 0));
	assert_int_equal(get32(FCH_WATCHDOG), CONTROL_DISABLED);
}

/* Registers in memory, a count of 100 ms. */
static void put_wdrt(uint8_t unit, uint16_t most)
{
	put64(WDRT + offsetof(struct wdrt, control) + 4, CONTROL);
	put64(WDRT + offsetof(struct wdrt, count) + 4, COUNT);
	put16(WDRT + offsetof(struct wdrt, most), most);
	put8(WDRT + offsetof(struct wdrt, unit), unit);
	put_acpi_table(WDRT, "WDRT", sizeof(struct wdrt));
	put32(RSDT + 36, WDRT);
	put_acpi_table(RSDT, "RSDT", 40);
	put_rsdp(RSDP, 0, RSDT, 0);
}

static void told(void **state)
{
	(void)state;
	id = FCH_KERNCZ;
	revision = FCH_KERNCZ_FIRST;
	put_wdrt(2, 1000);
	assert_string_equal(start_for(20, RSDP), "WDRT");
	assert_int_equal(get32(COUNT), 200);
	assert_int_equal(get32(CONTROL), CONTROL_RUN | CONTROL_TRIGGER);
	assert_string_equal(start_for(600, RSDP), "WDRT");
	assert_int_equal(get32(COUNT), 1000);
	assert_int_equal(get32(FCH_WATCHDOG), 0);
	/* One that is told wrongly is none, and the FCH's turn comes. */
	put_wdrt(4, 1000);
	assert_string_equal(start_for(20, RSDP), "FCH");
	put_wdrt(0, 1000);
	assert_string_equal(start_for(20, RSDP), "FCH");
	put_wdrt(3, 99); /* less than a second: it would end at once */
	assert_string_equal(start_for(20, RSDP), "FCH");
	put8(WDRT + offsetof(struct wdrt, count), 1); /* ports */
	put_wdrt(1, 1000);
	assert_string_equal(start_for(20, RSDP), "FCH");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fch_by_ports),
		TEST(fch_by_memory),
		TEST(no_fch),
		TEST(told),
	};

	return cmocka_run_group_tests_name("watchdog_fch", tests, NULL, NULL);
}
