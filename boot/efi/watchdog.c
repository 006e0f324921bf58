/*
 * Watchdogs. What Microsoft's WDRT specification calls its control and count registers is what
 * AMD's southbridges have; the TCO timer is Intel's, and counts twice to the end. Relies on
 * boot/acpi.h, hv/pci.h and hv/phys.h.
 */
#include "boot/efi/watchdog.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/acpi.h"
#include "hv/pci.h"
#include "hv/phys.h"
#include "hv/x86.h"

/* Control, and the count 4 bytes behind it where no table says otherwise. */
enum {
	CONTROL_RUN = 1 << 0,
	CONTROL_FIRED = 1 << 1, /* a one clears it */
	CONTROL_POWER_OFF = 1 << 2,
	CONTROL_DISABLED = 1 << 3,
	CONTROL_TRIGGER = 1 << 7,
	COUNT_AT = 4,
	COUNT_MOST = 0xffff,
};

struct timer {
	uint64_t control, count; /* hpa of registers of 32 bits */
	uint32_t most, per_second;
};

static volatile uint32_t *at(uint64_t hpa)
{
	return phys(hpa);
}

static bool start(const struct timer *timer, uint32_t *seconds)
{
	uint32_t control = *at(timer->control);
	uint32_t most = timer->most / timer->per_second;
	uint32_t counted = *seconds < most ? *seconds : most;

	if (control & CONTROL_DISABLED)
		return false;
	control &= ~(uint32_t)(CONTROL_RUN | CONTROL_FIRED | CONTROL_POWER_OFF);
	*at(timer->control) = control;
	*at(timer->count) = counted * timer->per_second;
	*at(timer->control) = control | CONTROL_RUN;
	*at(timer->control) = control | CONTROL_RUN | CONTROL_TRIGGER;
	if (!(*at(timer->control) & CONTROL_RUN))
		return false;
	*seconds = counted;
	return true;
}

/* ACPI's generic address: of memory only. */
struct address {
	uint8_t space, bits, offset, access;
	uint64_t hpa;
} __attribute__((packed));

struct wdrt {
	char signature[4];
	uint32_t length;
	uint8_t header[28];
	struct address control, count;
	uint16_t device, vendor;
	uint8_t bus, slot, function, segment;
	uint16_t most;
	uint8_t unit;
} __attribute__((packed));
_Static_assert(offsetof(struct wdrt, control) == 36 && offsetof(struct wdrt, unit) == 70,
               "Hardware Watchdog Timer Design Specification, WDRT");

static bool start_told(uint64_t rsdp, uint32_t *seconds)
{
	static const uint32_t per_second[] = {0, 1, 10, 100};
	uint64_t hpa = acpi_find_table(rsdp, "WDRT");
	const struct wdrt *wdrt = phys(hpa);
	struct timer timer;

	if (!hpa || acpi_table_length(hpa, "WDRT") < sizeof(*wdrt) || wdrt->control.space ||
	    wdrt->count.space || !wdrt->control.hpa || !wdrt->count.hpa || !wdrt->unit ||
	    wdrt->unit >= sizeof(per_second) / sizeof(per_second[0]) ||
	    wdrt->most < per_second[wdrt->unit]) /* it would end at once */
		return false;
	timer = (struct timer){wdrt->control.hpa, wdrt->count.hpa, wdrt->most,
	                       per_second[wdrt->unit]};
	return start(&timer, seconds);
}

/* AMD's FCH, by its SMBus function; Family 17h's PPR, section "Power Management Registers". */
enum {
	FCH_SMBUS = 0x14 << PCI_DEVICE_SHIFT,
	FCH_HUDSON = 0x780b1022,
	FCH_KERNCZ = 0x790b1022,
	FCH_HUDSON_FIRST = 0x41, /* revisions before have another layout */
	FCH_KERNCZ_FIRST = 0x49,
	FCH_KERNCZ_MMIO = 0x51, /* from here on the ports are gone */
	PORT_PM_INDEX = 0xcd6,
	PORT_PM_DATA = 0xcd7,
	PM_DECODE = 0x00,
	PM_DECODE_WATCHDOG = 1 << 7,
	PM_WATCHDOG = 0x03,
	PM_WATCHDOG_SECONDS = 3 << 0,
	PM_WATCHDOG_OFF = 3 << 2,
};
#define FCH_PM_MMIO  0xfed80300ull
#define FCH_WATCHDOG 0xfeb00000ull

static uint8_t pm_read(bool mmio, uint8_t index)
{
	if (mmio)
		return *(volatile uint8_t *)phys(FCH_PM_MMIO + index);
	outb(PORT_PM_INDEX, index);
	return inb(PORT_PM_DATA);
}

static void pm_write(bool mmio, uint8_t index, uint8_t value)
{
	if (mmio) {
		*(volatile uint8_t *)phys(FCH_PM_MMIO + index) = value;
		return;
	}
	outb(PORT_PM_INDEX, index);
	outb(PORT_PM_DATA, value);
}

static bool start_fch(uint32_t *seconds)
{
	static const struct timer timer = {FCH_WATCHDOG, FCH_WATCHDOG + COUNT_AT, COUNT_MOST, 1};
	uint32_t id = pci_read(FCH_SMBUS, PCI_ID);
	uint32_t revision = pci_read(FCH_SMBUS, PCI_CLASS) & 0xff;
	bool mmio = revision >= FCH_KERNCZ_MMIO;

	if (!(id == FCH_KERNCZ && revision >= FCH_KERNCZ_FIRST) &&
	    !(id == FCH_HUDSON && revision >= FCH_HUDSON_FIRST))
		return false;
	mmio = mmio && id == FCH_KERNCZ;
	pm_write(mmio, PM_DECODE, pm_read(mmio, PM_DECODE) | PM_DECODE_WATCHDOG);
	if (!(pm_read(mmio, PM_DECODE) & PM_DECODE_WATCHDOG))
		return false;
	pm_write(mmio, PM_WATCHDOG,
	         (uint8_t)((pm_read(mmio, PM_WATCHDOG) & ~PM_WATCHDOG_OFF) | PM_WATCHDOG_SECONDS));
	return start(&timer, seconds);
}

/* Intel's ICH9, sections 13.1.13 (PMBASE), 10.1.75 (GCS) and 13.9 (TCO). */
enum {
	ICH9_LPC = 0x1f << PCI_DEVICE_SHIFT,
	ICH9_ID = 0x29188086,
	LPC_PMBASE = 0x40,
	LPC_ACPI_CONTROL = 0x44,
	LPC_ACPI_ENABLED = 1 << 7,
	LPC_RCBA = 0xf0,
	LPC_RCBA_ENABLED = 1 << 0,
	RCBA_GCS = 0x3410,
	GCS_NO_REBOOT = 1 << 5,
	PM_SMI_ENABLE = 0x30,
	SMI_TCO = 1 << 13,
	PM_TCO = 0x60,
	TCO_RELOAD = 0x00,
	TCO_STATUS1 = 0x04,
	TCO_STATUS1_TIMEOUT = 1 << 3,
	TCO_STATUS2 = 0x06,
	TCO_STATUS2_SECOND = 1 << 1,
	TCO_CONTROL1 = 0x08,
	TCO_HALT = 1 << 11,
	TCO_TIMER = 0x12,
	TCO_LEAST = 4,
	TCO_MOST = 0x3ff,
	TICKS = 5, /* of 0.6 seconds, counted twice, in this many seconds: */
	TICKS_SECONDS = 6,
	TCO_SECONDS_MOST = TCO_MOST * TICKS_SECONDS / TICKS,
};

/* No fewer than so many seconds if they can be counted. */
static uint32_t tco_ticks(uint32_t seconds)
{
	uint32_t ticks = TCO_MOST;

	if (seconds < TCO_SECONDS_MOST)
		ticks = (seconds * TICKS + TICKS_SECONDS - 1) / TICKS_SECONDS;
	return ticks < TCO_LEAST ? TCO_LEAST : ticks;
}

static bool start_ich9(uint32_t *seconds)
{
	uint32_t rcba = pci_read(ICH9_LPC, LPC_RCBA), ticks = tco_ticks(*seconds);
	uint16_t pm = pci_read(ICH9_LPC, LPC_PMBASE) & 0xff80, tco = pm + PM_TCO;
	volatile uint32_t *gcs = at((rcba & ~(uint32_t)LPC_RCBA_ENABLED) + RCBA_GCS);

	if (pci_read(ICH9_LPC, PCI_ID) != ICH9_ID || !pm || !(rcba & LPC_RCBA_ENABLED) ||
	    !(pci_read(ICH9_LPC, LPC_ACPI_CONTROL) & LPC_ACPI_ENABLED))
		return false;
	*gcs &= ~(uint32_t)GCS_NO_REBOOT;
	if (*gcs & GCS_NO_REBOOT) /* a strap of the board's says so */
		return false;
	/* The first of two ends is the firmware's, by an SMI, which could begin it again. */
	outl(pm + PM_SMI_ENABLE, inl(pm + PM_SMI_ENABLE) & ~(uint32_t)SMI_TCO);
	outw(tco + TCO_CONTROL1, inw(tco + TCO_CONTROL1) | TCO_HALT);
	outw(tco + TCO_STATUS1, TCO_STATUS1_TIMEOUT);
	outw(tco + TCO_STATUS2, TCO_STATUS2_SECOND);
	outw(tco + TCO_TIMER, (uint16_t)ticks);
	outw(tco + TCO_RELOAD, 1);
	outw(tco + TCO_CONTROL1, inw(tco + TCO_CONTROL1) & ~(uint32_t)TCO_HALT);
	*seconds = ticks * TICKS_SECONDS / TICKS;
	return true;
}

const char *watchdog_start(uint32_t *seconds, uint64_t rsdp)
{
	if (start_told(rsdp, seconds))
		return "WDRT";
	if (start_fch(seconds))
		return "FCH";
	return start_ich9(seconds) ? "ICH9 TCO" : NULL;
}
