/*
 * FADT, DSDT and SSDTs, as far as sleep states go. AML is searched, not interpreted: \_S2 and \_S3
 * are mostly packages of one form. What code computes is known by what it is not: a value that asks
 * for another state. Relies on boot/acpi.h, hv/phys.h and hv/string.h.
 */
#include "boot/acpi_sleep.h"
#include "boot/acpi.h"
#include "boot/firmware_memory.h"
#include "hv/phys.h"
#include "hv/string.h"

/* Offsets in the FADT. */
enum {
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_X_PM1A_CONTROL = 172,
	FADT_X_PM1B_CONTROL = 184,
	FADT_SLEEP_CONTROL = 244,
	GAS_SPACE = 0,
	GAS_ADDRESS = 4,
	GAS_SYSTEM_MEMORY = 0,
	GAS_SYSTEM_IO = 1,
};

/* AML; ACPI 6.5, section 20.2. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_ALIAS = 0x06,
	AML_NAME = 0x08,
	AML_METHOD = 0x14,
	AML_BYTE = 0x0a,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
	PKG_LENGTH_MORE = 0xc0, /* of the first byte of PkgLength: how many bytes follow */
	PKG_LENGTH_SHIFT = 6,
	PKG_LENGTH_BYTES = 4,
	FIRST_NAME = 37, /* behind a table's header and one byte */
	PKG_LENGTH_ALONE = 0x3f,
	PKG_LENGTH_FIRST = 0x0f,
	NAME_SIZE = 4,
	TABLE_CHECKSUM = 9,
};

static uint64_t field(uint64_t table, uint32_t length, uint32_t at, uint32_t size)
{
	return size <= length && at <= length - size ? read_low(table + at, size) : 0;
}

static void add_register(struct sleep_states *states, uint64_t at, bool memory, uint8_t value)
{
	for (unsigned int i = 0; i < states->count; i++) {
		if (states->registers[i].at == at && states->registers[i].memory == memory)
			return;
	}
	if (states->count < SLEEP_REGISTERS)
		states->registers[states->count++] = (struct sleep_register){at, memory, value};
}

/* A generic address; ACPI 6.5, section 5.2.3.2. The byte is so far behind it. */
static void take_address(uint64_t fadt, uint32_t length, uint32_t at, uint32_t byte, uint8_t value,
                         struct sleep_states *states)
{
	uint64_t address = field(fadt, length, at + GAS_ADDRESS, 8);
	uint64_t space = field(fadt, length, at + GAS_SPACE, 1);

	if (address && (space == GAS_SYSTEM_MEMORY || space == GAS_SYSTEM_IO))
		add_register(states, address + byte, space == GAS_SYSTEM_MEMORY, value);
}

/* All that the table names: where it says a thing twice, others may take either. */
static void take_registers(uint64_t fadt, uint32_t length, struct sleep_states *states)
{
	static const uint32_t pm1[2][2] = {{FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL},
	                                   {FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL}};

	for (uint8_t i = 0; i < 2; i++) {
		uint64_t port = field(fadt, length, pm1[i][0], 4);

		if (port)
			add_register(states, port + PM1_SLEEP_BYTE, false, i);
		take_address(fadt, length, pm1[i][1], PM1_SLEEP_BYTE, i, states);
	}
	take_address(fadt, length, FADT_SLEEP_CONTROL, 0, 0, states);
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

/* The end of what the PkgLength at this place is the length of; NULL: it has other bytes. */
static const uint8_t *package_end(const uint8_t *at, unsigned int bytes, const uint8_t *end)
{
	uint32_t length = bytes == 1 ? *at & PKG_LENGTH_ALONE : *at & PKG_LENGTH_FIRST;

	if ((*at >> PKG_LENGTH_SHIFT) + 1u != bytes)
		return NULL;
	for (unsigned int i = 1; i < bytes; i++)
		length |= (uint32_t)at[i] << (8 * i - 4);
	return length <= (size_t)(end - at) ? at + length : end;
}

/* Behind the name: where the first byte of its package may be, and the end of all of it. */
struct definition {
	const uint8_t *first, *last, *end; /* first is NULL: the name is not defined here */
};

/* Name (_Sx_, ...), Method (_Sx_, ...) or Alias (..., _Sx_), each with or without a root prefix. */
static struct definition definition_at(const uint8_t *name, const uint8_t *end)
{
	const uint8_t *behind = name + NAME_SIZE, *before = name, *method_end = NULL;

	if (before[-1] == AML_ROOT)
		before--;
	if (before[-1] == AML_NAME)
		return (struct definition){behind, behind, end};
	for (unsigned int bytes = 1; bytes <= PKG_LENGTH_BYTES && !method_end; bytes++) {
		if (before[-1 - (int)bytes] == AML_METHOD)
			method_end = package_end(before - bytes, bytes, end);
	}
	if (method_end)
		return (struct definition){behind, method_end, method_end};
	before -= NAME_SIZE;
	if (before[-1] == AML_ROOT)
		before--;
	if (before[-1] == AML_ALIAS)
		return (struct definition){behind, behind, behind};
	return (struct definition){NULL, NULL, NULL};
}

static bool read_types(const struct definition *definition, uint8_t types[2])
{
	for (const uint8_t *at = definition->first; at <= definition->last; at++) {
		if (read_package(at, definition->end, types))
			return true;
	}
	return false;
}

static const struct state {
	const char *name;
	bool good, is_s5;
} known_states[] = {
	{"_S1_", true, false}, {"_S2_", false, false}, {"_S3_", false, false},
	{"_S4_", true, false}, {"_S5_", true, true},
};

static void note_types(const struct state *state, const uint8_t types[2], struct sleep_states *to)
{
	if (state->good) {
		for (unsigned int i = 0; i < 2; i++)
			to->good[i] |= (uint8_t)(1 << (types[i] & SLP_TYP_MASK));
		to->s5_is_known |= state->is_s5;
	} else {
		for (unsigned int i = 0; i < 2; i++)
			to->bad |= (uint8_t)(1 << (types[i] & SLP_TYP_MASK));
	}
}

static void take_state(uint8_t *table, uint32_t length, const struct state *state,
                       struct sleep_states *to)
{
	for (uint32_t i = FIRST_NAME; i + NAME_SIZE <= length; i++) {
		struct definition definition;
		uint8_t types[2];

		if (memcmp(table + i, state->name, NAME_SIZE) != 0)
			continue;
		definition = definition_at(table + i, table + length);
		if (!definition.first)
			continue;
		if (read_types(&definition, types))
			note_types(state, types, to);
		if (state->good)
			continue;
		/* "_S3_" becomes "XS3_"; the sum of all bytes stays 0. */
		table[TABLE_CHECKSUM] = (uint8_t)(table[TABLE_CHECKSUM] + table[i] - 'X');
		table[i] = 'X';
	}
}

static void take_states(uint64_t table, const char *signature, struct sleep_states *states)
{
	uint32_t length = acpi_table_length(table, signature);

	for (unsigned int i = 0; i < sizeof(known_states) / sizeof(*known_states) && length; i++)
		take_state(phys(table), length, &known_states[i], states);
}

void acpi_sleep_states(uint64_t rsdp, struct sleep_states *states)
{
	uint64_t table;

	memset(states, 0, sizeof(*states));
	for (unsigned int n = 0; (table = acpi_find_nth_table(rsdp, "FACP", n)); n++) {
		uint32_t length = acpi_table_length(table, "FACP");

		take_registers(table, length, states);
		take_states(field(table, length, FADT_X_DSDT, 8), "DSDT", states);
		take_states(field(table, length, FADT_DSDT, 4), "DSDT", states);
	}
	for (unsigned int n = 0; (table = acpi_find_nth_table(rsdp, "SSDT", n)); n++)
		take_states(table, "SSDT", states);
}
