/* SPCR and IVRS. Relies on boot/acpi.h and boot/firmware_memory.h. */
#include "boot/acpi_devices.h"
#include "boot/acpi.h"
#include "boot/firmware_memory.h"
#include "hv/phys.h"

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

	IVRS_BLOCKS = 48, /* offset of the first */
	IVRS_BLOCK_LENGTH = 2,
	IVRS_BLOCK_BASE = 8,
	IVRS_BLOCK_END = 16,
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

static bool is_iommu(uint8_t type)
{
	return type == 0x10 || type == 0x11 || type == 0x40;
}

bool acpi_meets_iommu(uint64_t rsdp, uint64_t base, uint64_t bytes, uint64_t each)
{
	uint64_t at = acpi_find_table(rsdp, "IVRS");
	uint32_t length = at ? acpi_table_length(at, "IVRS") : 0, size;
	const uint8_t *table = phys(at);

	for (uint32_t block = IVRS_BLOCKS; block + IVRS_BLOCK_END <= length; block += size) {
		uint64_t registers = read_low(at + block + IVRS_BLOCK_BASE, sizeof(registers));

		size = (uint32_t)read_low(at + block + IVRS_BLOCK_LENGTH, sizeof(uint16_t));
		if (size < IVRS_BLOCK_END || size > length - block)
			return false;
		if (is_iommu(table[block]) && overlap(base, bytes, registers, each))
			return true;
	}
	return false;
}
