/* SPCR and MCFG. Relies on boot/acpi.h and boot/firmware_memory.h. */
#include "boot/acpi_devices.h"
#include "boot/acpi.h"
#include "boot/firmware_memory.h"

enum {
	SPCR_TYPE = 36,
	SPCR_ADDRESS = 40, /* a generic address structure */
	SPCR_END = 52,
	TYPE_16550 = 0,
	TYPE_16450 = 1,
	TYPE_16550_BY_ADDRESS = 0x12,
	GAS_SPACE = 0,
	GAS_BITS = 1,
	GAS_VALUE = 4,
	GAS_IO = 1,
	BITS_OF_BYTE = 8,
	PORT_LAST = 0xfff8,

	MCFG_ENTRIES = 44, /* offset of the first */
	MCFG_SEGMENT = 8,
	MCFG_FIRST_BUS = 10,
	MCFG_LAST_BUS = 11,
	MCFG_ENTRY_SIZE = 16,
	MCFG_BUS_SHIFT = 8,
};

static bool is_16550(const struct acpi_serial *serial, uint8_t bits)
{
	bool type = serial->type == TYPE_16550 || serial->type == TYPE_16450 ||
	            serial->type == TYPE_16550_BY_ADDRESS;

	/* Registers of a byte each, one behind the other; 0: that is meant. */
	return type && serial->space == GAS_IO && (!bits || bits == BITS_OF_BYTE) &&
	       serial->address <= PORT_LAST;
}

bool acpi_serial_port(uint64_t rsdp, struct acpi_serial *serial)
{
	uint64_t at = acpi_find_table(rsdp, "SPCR");
	const uint8_t *table = phys(at);

	memset(serial, 0, sizeof(*serial));
	if (!at || acpi_table_length(at, "SPCR") < SPCR_END)
		return false;
	serial->type = table[SPCR_TYPE];
	serial->space = table[SPCR_ADDRESS + GAS_SPACE];
	serial->address = read_low(at + SPCR_ADDRESS + GAS_VALUE, sizeof(uint64_t));
	if (is_16550(serial, table[SPCR_ADDRESS + GAS_BITS]))
		serial->port = (uint16_t)serial->address;
	return true;
}

uint64_t acpi_pci_page(uint64_t rsdp, uint16_t segment, uint16_t function)
{
	uint64_t mcfg = acpi_find_table(rsdp, "MCFG");
	uint32_t length = mcfg ? acpi_table_length(mcfg, "MCFG") : 0;
	uint8_t bus = (uint8_t)(function >> MCFG_BUS_SHIFT);

	for (uint32_t at = MCFG_ENTRIES; at + MCFG_ENTRY_SIZE <= length; at += MCFG_ENTRY_SIZE) {
		const uint8_t *entry = phys(mcfg + at);
		uint64_t base = read_low(mcfg + at, sizeof(base));

		if (read_low(mcfg + at + MCFG_SEGMENT, sizeof(segment)) == segment &&
		    bus >= entry[MCFG_FIRST_BUS] && bus <= entry[MCFG_LAST_BUS])
			return base + (uint64_t)function * PAGE_SIZE;
	}
	return 0;
}
