/*
 * Choosing the consoles. Relies on hv/pci.h for whose memory a framebuffer is.
 */
#include "boot/console.h"
#include "boot/acpi.h"
#include "boot/acpi_devices.h"
#include "boot/bios_memory.h"
#include "boot/ivrs.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "hv/screen.h"
#include "hv/screen_map.h"
#include "hv/serial.h"
#include "hv/vga_text.h"
#include "hv/x86.h"

enum { DEVICES_MAX = 64, MODE_TEXT_GREY = 2, MODE_TEXT_COLOR = 3 };
#define BIOS_VIDEO_MODE 0x449ull /* 40:49 */

static const char *screen_trouble; /* to follow "the screen " */
static uint64_t screen_base;

void console_begin(void)
{
	serial_use(serial_answers(COM1_DATA) ? COM1_DATA : 0);
}

static bool meets_memory(const struct boot_info *info, uint64_t base, uint64_t bytes)
{
	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct mem_range *range = &info->ranges[i];

		/* Firmware calls devices reserved, too. */
		if (range->type != MEM_RESERVED && range->size &&
		    overlap(base, bytes, range->base, range->size))
			return true;
	}
	return false;
}

static bool meets_io_apic(uint64_t rsdp, uint64_t base, uint64_t bytes)
{
	static uint32_t hpas[DEVICES_MAX];
	unsigned int count = acpi_io_apics(rsdp, hpas, DEVICES_MAX);

	for (unsigned int i = 0; i < count; i++) {
		if (overlap(base, bytes, hpas[i], PAGE_SIZE))
			return true;
	}
	return false;
}

/* L0 is in memory, and so is all that the loader brought: that is checked, too. */
static const char *range_error(const struct boot_info *info, uint64_t base, uint64_t bytes)
{
	uint64_t apic = rdmsr(MSR_APIC_BASE) & ~(uint64_t)(PAGE_SIZE - 1);

	if (bytes > SCREEN_MAP_MAX)
		return "is larger than Nestling can map";
	if (!phys_reaches(base) || !phys_reaches(base + bytes))
		return "lies where a 32-bit Nestling does not reach";
	if (meets_memory(info, base, bytes))
		return "lies in memory";
	if (overlap(base, bytes, apic, PAGE_SIZE) || meets_io_apic(info->rsdp, base, bytes))
		return "lies on an APIC";
	if (ivrs_meets(info->rsdp, base, bytes, IOMMU_REGISTERS_MOST))
		return "lies on an IOMMU";
	return NULL;
}

static const char *check_pixels(const struct boot_info *info, struct pci_memory *memory)
{
	const struct framebuffer *framebuffer = &info->screen;
	const char *error = framebuffer_error(framebuffer);
	uint64_t bytes = framebuffer_bytes(framebuffer);

	if (!error)
		error = range_error(info, framebuffer->base, bytes);
	if (!error && !pci_find_display(framebuffer->base, bytes, memory))
		error = "lies in no display's memory";
	return error;
}

static const char *check_text(const struct framebuffer *told)
{
	bool usual = told->base == VGA_TEXT_BASE && told->width == VGA_TEXT_COLUMNS &&
	             told->height >= VGA_TEXT_ROWS;

	return usual && vga_text_is_on()
	               ? NULL
	               : "shows no text of 80 columns at b8000, though the boot loader says so";
}

/* Loaders of multiboot1 tell nothing; the BIOS's video mode and the VGA itself do. */
static bool is_text_untold(void)
{
	uint8_t mode = *(const volatile uint8_t *)phys(BIOS_VIDEO_MODE);

	return bios_is_there() && (mode == MODE_TEXT_GREY || mode == MODE_TEXT_COLOR) &&
	       vga_text_is_on();
}

static const char *check_screen(const struct boot_info *info, struct pci_memory *memory)
{
	switch (info->screen_kind) {
	case SCREEN_UNKNOWN:
		return NULL;
	case SCREEN_PIXELS:
		return check_pixels(info, memory);
	case SCREEN_TEXT:
		return check_text(&info->screen);
	case SCREEN_PALETTE:
		return "is in a mode with a palette";
	case SCREEN_BLT:
		return "has no framebuffer that the firmware shows";
	default:
		return "is told in a way that Nestling does not know";
	}
}

void console_find_screen(struct boot_info *info, bool use)
{
	struct pci_memory memory;

	screen_base = info->screen.base;
	screen_trouble = check_screen(info, &memory);
	if (screen_trouble)
		info->screen_kind = SCREEN_UNKNOWN;
	else if (use && info->screen_kind == SCREEN_PIXELS)
		screen_use_pixels(&info->screen, &memory);
	else if (use && (info->screen_kind == SCREEN_TEXT || is_text_untold()))
		screen_use_text();
}

static uint16_t find_port(uint64_t rsdp)
{
	struct acpi_serial told;

	if (acpi_serial_port(rsdp, &told) && told.address) {
		if (told.port && serial_answers(told.port))
			return told.port;
		log_info("the serial port of ACPI's SPCR (type %x, space %u, address %llx) %s: "
		         "looking at COM1",
		         told.type, told.space, (unsigned long long)told.address,
		         told.port ? "does not answer" : "is none that Nestling knows");
	}
	return serial_answers(COM1_DATA) ? COM1_DATA : 0;
}

void console_choose(const struct config *config, uint64_t rsdp)
{
	uint16_t port = config->serial_given ? config->serial_port : find_port(rsdp);

	if (port != serial_port())
		serial_use(port);
	if (screen_trouble)
		log_info("the screen at %llx %s: it is not used", (unsigned long long)screen_base,
		         screen_trouble);
}
