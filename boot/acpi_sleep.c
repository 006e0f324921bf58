/*
 * FADT and DSDT, as far as sleep states go. AML is searched, not interpreted: the packages \_S2 and
 * \_S3 have one form only. Relies on boot/acpi.h, hv/phys.h and hv/string.h.
 */
#include "boot/acpi_sleep.h"
#include "boot/acpi.h"
#include "hv/phys.h"
#include "hv/string.h"

/* Offsets in the FADT; the X_ fields count where the table has them and they are not 0. */
enum {
	FADT_DSDT = 40,
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CONTROL = 172,
	FADT_X_PM1B_CONTROL = 184,
	GAS_SPACE = 0,
	GAS_ADDRESS = 4,
	GAS_SYSTEM_IO = 1,
};

/* AML; ACPI 6.5, section 20.2. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
	PKG_LENGTH_MORE = 0xc0, /* of the first byte of PkgLength */
	NAME_SIZE = 4,
	TABLE_CHECKSUM = 9,
};

static uint64_t field(uint64_t table, uint32_t length, uint32_t at, uint32_t size)
{
	uint64_t value = 0;

	if (size <= length && at <= length - size)
		memcpy(&value, phys(table + at), size);
	return value;
}

static uint16_t pm1_control(uint64_t fadt, uint32_t length, uint32_t plain, uint32_t extended)
{
	if (field(fadt, length, extended + GAS_ADDRESS, 8) &&
	    field(fadt, length, extended + GAS_SPACE, 1) == GAS_SYSTEM_IO)
		return (uint16_t)field(fadt, length, extended + GAS_ADDRESS, 8);
	return (uint16_t)field(fadt, length, plain, 4);
}

/* An integer of AML at *at, 0 to 255. False: it is none of these. */
static bool read_byte(const uint8_t **at, const uint8_t *end, uint8_t *value)
{
	if (*at >= end)
		return false;
	switch (*(*at)++) {
	case AML_ZERO:
		*value = 0;
		return true;
	case AML_ONE:
		*value = 1;
		return true;
	case AML_BYTE:
		if (*at >= end)
			return false;
		*value = *(*at)++;
		return true;
	default:
		return false;
	}
}

/* Name (_Sx_, Package () {type for PM1a, type for PM1b, ...}): the bytes behind the name. */
static bool read_package(const uint8_t *at, const uint8_t *end, uint8_t types[2])
{
	if (end - at < 4 || *at != AML_PACKAGE || (at[1] & PKG_LENGTH_MORE))
		return false;
	if (at[1] < end - at)
		end = at + 1 + at[1];
	if (at[2] < 2)
		return false;
	at += 3;
	return read_byte(&at, end, &types[0]) && read_byte(&at, end, &types[1]);
}

static void take_state(uint8_t *dsdt, uint32_t length, const char *name, struct sleep_states *to)
{
	for (uint32_t i = 2; i + NAME_SIZE <= length; i++) {
		uint8_t before = dsdt[i - 1] == AML_ROOT ? dsdt[i - 2] : dsdt[i - 1];

		if (before != AML_NAME || memcmp(dsdt + i, name, NAME_SIZE) != 0 ||
		    !read_package(dsdt + i + NAME_SIZE, dsdt + length, to->types + to->count))
			continue;
		to->count += 2;
		/* "_S3_" becomes "XS3_"; the sum of all bytes stays 0. */
		dsdt[TABLE_CHECKSUM] = (uint8_t)(dsdt[TABLE_CHECKSUM] + dsdt[i] - 'X');
		dsdt[i] = 'X';
		return;
	}
}

void acpi_sleep_states(uint64_t rsdp, struct sleep_states *states)
{
	uint64_t fadt = acpi_find_table(rsdp, "FACP"), dsdt;
	uint32_t length;

	memset(states, 0, sizeof(*states));
	if (!fadt)
		return;
	length = acpi_table_length(fadt, "FACP");
	states->pm1_control[0] = pm1_control(fadt, length, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
	states->pm1_control[1] = pm1_control(fadt, length, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
	dsdt = field(fadt, length, FADT_X_DSDT, 8);
	if (!dsdt)
		dsdt = field(fadt, length, FADT_DSDT, 4);
	length = acpi_table_length(dsdt, "DSDT");
	if (!length)
		return;
	take_state(phys(dsdt), length, "_S2_", states);
	take_state(phys(dsdt), length, "_S3_", states);
}
