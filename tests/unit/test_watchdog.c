/*
 * boot/efi/watchdog.c on registers that are memory: how long it counts, and that it says so. Relies
 * on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint32_t fake_inl(uint16_t port);
static uint16_t fake_inw(uint16_t port);
static uint8_t fake_inb(uint16_t port);
static void fake_outl(uint16_t port, uint32_t value);
static void fake_outw(uint16_t port, uint16_t value);
static void fake_outb(uint16_t port, uint8_t value);
#define inl  fake_inl
#define inw  fake_inw
#define inb  fake_inb
#define outl fake_outl
#define outw fake_outw
#define outb fake_outb
#include "boot/efi/watchdog.c"

enum { NO_DEVICE = -1, PM_BASE = 0x600, TCO = PM_BASE + PM_TCO };

static struct wdrt wdrt;
static uint32_t timer_registers[2]; /* what WDRT names */
static bool has_wdrt;
static uint32_t lpc_id, fch_id, pci_address;
static uint8_t *low; /* Intel's root complex registers */
static uint16_t tco_timer, tco_control;

uint64_t acpi_find_table(uint64_t rsdp, const char *signature)
{
	assert_int_equal(rsdp, 77);
	assert_string_equal(signature, "WDRT");
	return has_wdrt ? (uint64_t)(uintptr_t)&wdrt : 0;
}

uint32_t acpi_table_length(uint64_t hpa, const char *signature)
{
	(void)hpa, (void)signature;
	return wdrt.length;
}

/* Registers and tables are where this test has them. */
void *phys(uint64_t hpa)
{
	return (void *)(uintptr_t)hpa;
}

static uint32_t lpc_register(uint32_t offset)
{
	switch (offset) {
	case PCI_ID:
		return lpc_id;
	case LPC_PMBASE:
		return PM_BASE | 1;
	case LPC_ACPI_CONTROL:
		return LPC_ACPI_ENABLED;
	case LPC_RCBA:
		return (uint32_t)(uintptr_t)low | LPC_RCBA_ENABLED;
	default:
		fail_msg("register %x", offset);
		return 0;
	}
}

static uint32_t fake_inl(uint16_t port)
{
	uint32_t function = pci_address >> 8 & 0xffff;

	if (port != PCI_PORT_DATA)
		return 0;
	if (function == FCH_SMBUS)
		return fch_id;
	assert_int_equal(function, ICH9_LPC);
	return lpc_register(pci_address & 0xff);
}

static void fake_outl(uint16_t port, uint32_t value)
{
	if (port == PCI_PORT_ADDRESS)
		pci_address = value;
}

static uint16_t fake_inw(uint16_t port)
{
	return port == TCO + TCO_CONTROL1 ? tco_control : 0;
}

static void fake_outw(uint16_t port, uint16_t value)
{
	if (port == TCO + TCO_CONTROL1)
		tco_control = value;
	if (port == TCO + TCO_TIMER)
		tco_timer = value;
}

static uint8_t fake_inb(uint16_t port)
{
	(void)port;
	return 0;
}

static void fake_outb(uint16_t port, uint8_t value)
{
	(void)port, (void)value;
}

static int fresh(void **state)
{
	(void)state;
	memset(&wdrt, 0, sizeof(wdrt));
	memset(timer_registers, 0, sizeof(timer_registers));
	wdrt.length = sizeof(wdrt);
	wdrt.control.hpa = (uint64_t)(uintptr_t)&timer_registers[0];
	wdrt.count.hpa = (uint64_t)(uintptr_t)&timer_registers[1];
	has_wdrt = false;
	lpc_id = fch_id = (uint32_t)NO_DEVICE;
	tco_timer = tco_control = 0;
	return 0;
}

/* How many seconds it says that it counts, if this many are wanted. */
static uint32_t said(const char *name, uint32_t wanted)
{
	uint32_t seconds = wanted;
	const char *found = watchdog_start(&seconds, 77);

	if (!name) {
		assert_null(found);
		assert_int_equal(seconds, wanted);
		return 0;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	return seconds;
}

/* WDRT's counts are of seconds, tenths or hundredths of them, and may end early. */
static void by_table(void **state)
{
	static const struct {
		uint8_t unit;
		uint16_t most;
		uint32_t wanted, count, said;
	} rows[] = {{1, 0xffff, 600, 600, 600},   {1, 250, 600, 250, 250},
	            {2, 0xffff, 600, 6000, 600},  {2, 999, 600, 990, 99},
	            {3, 0xffff, 600, 60000, 600}, {3, 0xffff, 800, 65500, 655}};

	(void)state;
	has_wdrt = true;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		wdrt.unit = rows[i].unit;
		wdrt.most = rows[i].most;
		assert_int_equal(said("WDRT", rows[i].wanted), rows[i].said);
		assert_int_equal(timer_registers[1], rows[i].count);
	}
}

static void a_table_that_is_of_no_use(void **state)
{
	(void)state;
	has_wdrt = true;
	wdrt.unit = 2;
	wdrt.most = 9; /* less than a second */
	said(NULL, 600);
	wdrt.most = 10;
	assert_int_equal(said("WDRT", 600), 1);
	timer_registers[0] = CONTROL_DISABLED;
	said(NULL, 600);
}

/* Ticks of 0.6 s, all of them twice: as long as was asked for, and not shorter. */
static void by_the_tco_timer(void **state)
{
	(void)state;
	lpc_id = ICH9_ID;
	for (uint32_t wanted = 1; wanted < 2000; wanted++) {
		uint32_t seconds = said("ICH9 TCO", wanted);

		assert_int_equal(seconds, tco_timer * 12 / 10);
		assert_in_range(tco_timer, TCO_LEAST, TCO_MOST);
		if (tco_timer == TCO_MOST)
			assert_int_equal(seconds, 1227);
		else if (tco_timer > TCO_LEAST)
			assert_in_range(seconds, wanted, wanted + 1);
		assert_false(tco_control & TCO_HALT);
	}
	assert_int_equal(said("ICH9 TCO", UINT32_MAX), 1227);
}

static void nothing_is_there(void **state)
{
	(void)state;
	said(NULL, 600);
}

static int map_low(void **state)
{
	(void)state;
	low = mmap(NULL, RCBA_GCS + PAGE_SIZE, PROT_READ | PROT_WRITE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	return low == MAP_FAILED;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_table),
		TEST(a_table_that_is_of_no_use),
		TEST(by_the_tco_timer),
		TEST(nothing_is_there),
	};

	return cmocka_run_group_tests_name("watchdog", tests, map_low, NULL);
}
