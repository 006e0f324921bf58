/* Relies on boot/acpi.h and boot/firmware_memory.h. */
#include "boot/ivrs.h"
#include "boot/acpi.h"
#include "boot/firmware_memory.h"
#include "hv/iommu_tables.h"

enum {
	BLOCKS = 48, /* offset of the first */
	BLOCK_TYPE = 0,
	BLOCK_FLAGS = 1,
	BLOCK_LENGTH = 2,
	BLOCK_HEAD = 4,

	/* Of a block about a unit. The newer ones have more before their devices. */
	UNIT_OLD = 0x10,
	UNIT_NEW = 0x11,
	UNIT_NAMED = 0x40,
	UNIT_FUNCTION = 4,
	UNIT_BASE = 8,
	UNIT_SEGMENT = 16,
	UNIT_OLD_DEVICES = 24,
	UNIT_NEW_DEVICES = 40,

	/* Of a block about memory: of all devices, of one, of several. */
	MEMORY_ALL = 0x20,
	MEMORY_RANGE = 0x22,
	MEMORY_BASE = 8,
	MEMORY_SIZE = 16,
	MEMORY_END = 24,

	/* Devices of a unit: the type, which one, and what passes. */
	DEVICE_HEAD = 4,
	DEVICE_ID = 1,
	DEVICE_PASS = 3,
	DEVICE_SOURCE = 5, /* of those of 8 bytes: who asks in its name */
	DEVICE_ALL = 1,
	DEVICE_SELECT = 2,
	DEVICE_RANGE = 3,
	DEVICE_RANGE_END = 4,
	DEVICE_ALIAS = 66,
	DEVICE_ALIAS_RANGE = 67,
	DEVICE_EXTENDED = 70,
	DEVICE_EXTENDED_RANGE = 71,
	DEVICE_SPECIAL = 72,
	DEVICE_NAMED = 240,
	DEVICE_NAMED_HEAD = 22, /* the last byte says how many follow */
	DEVICE_LAST = IOMMU_FUNCTIONS - 1,

	TABLE_CHECKSUM = 9,
	SIGNATURE_SIZE = 4,
};

static const char signature[] = "IVRS";
static const char hidden_signature[] = "OEMI"; /* those that begin so are anybody's; ACPI 5.2.6 */

/* Goes through all blocks of all tables. */
struct walk {
	uint64_t rsdp;
	unsigned int table; /* of those with the signature */
	uint64_t at, end;   /* hpa of the block, and of its table's end; 0 before the first */
	uint16_t length;    /* of the block */
	bool broken;        /* a table could not be read to its end */
};

static bool next_table(struct walk *walk)
{
	uint64_t table = acpi_find_nth_table(walk->rsdp, signature, walk->table++);

	walk->at = table + BLOCKS;
	walk->end = table + acpi_table_length(table, signature);
	walk->length = 0;
	return table;
}

/* A broken block ends its table. */
static bool next_block(struct walk *walk)
{
	for (walk->at += walk->length;; walk->at = walk->end) {
		while (walk->at + BLOCK_HEAD > walk->end) {
			if (!next_table(walk))
				return false;
		}
		walk->length = (uint16_t)read_low(walk->at + BLOCK_LENGTH, sizeof(uint16_t));
		if (walk->length >= BLOCK_HEAD && walk->length <= walk->end - walk->at)
			return true;
		walk->broken = true;
	}
}

static uint64_t field(const struct walk *walk, unsigned int offset, unsigned int size)
{
	return read_low(walk->at + offset, size);
}

/* The offset of a unit's devices; 0: the block is about something else, or too short. */
static unsigned int devices_of(struct walk *walk)
{
	uint8_t type = (uint8_t)field(walk, BLOCK_TYPE, 1);
	unsigned int devices = 0;

	if (type == UNIT_OLD)
		devices = UNIT_OLD_DEVICES;
	if (type == UNIT_NEW || type == UNIT_NAMED)
		devices = UNIT_NEW_DEVICES;
	if (walk->length >= devices)
		return devices;
	walk->broken = true;
	return 0;
}

static void add_unit(const struct walk *walk, struct iommu_unit *units, unsigned int *count,
                     bool *too_many)
{
	struct iommu_unit unit = {
		.base = field(walk, UNIT_BASE, sizeof(uint64_t)),
		.segment = (uint16_t)field(walk, UNIT_SEGMENT, sizeof(uint16_t)),
		.function = (uint16_t)field(walk, UNIT_FUNCTION, sizeof(uint16_t)),
		.flags = (uint8_t)field(walk, BLOCK_FLAGS, 1),
	};

	/* One unit has a block of each type. */
	for (unsigned int i = 0; i < *count; i++) {
		if (units[i].base == unit.base)
			return;
	}
	if (*count < IOMMU_UNITS_MAX)
		units[(*count)++] = unit;
	else
		*too_many = true;
}

enum ivrs_result ivrs_units(uint64_t rsdp, struct iommu_unit *units, unsigned int *count)
{
	struct walk walk = {.rsdp = rsdp};
	bool too_many = false;

	*count = 0;
	while (next_block(&walk)) {
		if (devices_of(&walk))
			add_unit(&walk, units, count, &too_many);
	}
	if (walk.broken)
		return IVRS_BROKEN;
	return too_many ? IVRS_TOO_MANY : *count ? IVRS_FOUND : IVRS_NONE;
}

bool ivrs_meets(uint64_t rsdp, uint64_t base, uint64_t bytes, uint64_t each)
{
	struct walk walk = {.rsdp = rsdp};

	while (next_block(&walk)) {
		if (devices_of(&walk) &&
		    overlap(base, bytes, field(&walk, UNIT_BASE, sizeof(uint64_t)), each))
			return true;
	}
	return false;
}

/* Bytes of an entry, by its type; what a type means, whose length is known so, may be unknown. */
static unsigned int device_length(const uint8_t *entry, unsigned int left)
{
	enum { KINDS_SHIFT = 6 };

	if (entry[0] != DEVICE_NAMED)
		return 4u << (entry[0] >> KINDS_SHIFT);
	return left < DEVICE_NAMED_HEAD ? left
	                                : DEVICE_NAMED_HEAD + 0u + entry[DEVICE_NAMED_HEAD - 1];
}

static uint16_t id_at(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}

/* One entry; the beginning of a range waits for its end. */
static void tell_device(const uint8_t *entry, uint8_t range[DEVICE_HEAD], ivrs_pass *pass,
                        void *context)
{
	uint16_t id = id_at(entry + DEVICE_ID);

	switch (entry[0]) {
	case DEVICE_ALL:
		pass(context, 0, DEVICE_LAST, entry[DEVICE_PASS]);
		break;
	case DEVICE_ALIAS:
	case DEVICE_SPECIAL:
		pass(context, id_at(entry + DEVICE_SOURCE), id_at(entry + DEVICE_SOURCE),
		     entry[DEVICE_PASS]);
		if (entry[0] == DEVICE_SPECIAL)
			break;
		/* fallthrough */
	case DEVICE_SELECT:
	case DEVICE_EXTENDED:
	case DEVICE_NAMED:
		pass(context, id, id, entry[DEVICE_PASS]);
		break;
	case DEVICE_ALIAS_RANGE:
		pass(context, id_at(entry + DEVICE_SOURCE), id_at(entry + DEVICE_SOURCE),
		     entry[DEVICE_PASS]);
		/* fallthrough */
	case DEVICE_RANGE:
	case DEVICE_EXTENDED_RANGE:
		memcpy(range, entry, DEVICE_HEAD);
		break;
	case DEVICE_RANGE_END:
		if (range[0] && id >= id_at(range + DEVICE_ID))
			pass(context, id_at(range + DEVICE_ID), id, range[DEVICE_PASS]);
		range[0] = 0;
		break;
	default:
		break;
	}
}

void ivrs_devices(uint64_t rsdp, ivrs_pass *pass, void *context)
{
	struct walk walk = {.rsdp = rsdp};

	while (next_block(&walk)) {
		const uint8_t *block = phys(walk.at);
		unsigned int length, at = devices_of(&walk);
		uint8_t range[DEVICE_HEAD] = {0};

		for (; at && at + DEVICE_HEAD <= walk.length; at += length) {
			length = device_length(block + at, walk.length - at);
			if (length > walk.length - at)
				break;
			tell_device(block + at, range, pass, context);
		}
	}
}

void ivrs_memory(uint64_t rsdp, void (*keep)(uint64_t base, uint64_t size))
{
	struct walk walk = {.rsdp = rsdp};

	while (next_block(&walk)) {
		uint8_t type = (uint8_t)field(&walk, BLOCK_TYPE, 1);
		uint64_t base, size;

		if (type < MEMORY_ALL || type > MEMORY_RANGE || walk.length < MEMORY_END)
			continue;
		base = field(&walk, MEMORY_BASE, sizeof(uint64_t));
		size = field(&walk, MEMORY_SIZE, sizeof(uint64_t));
		if (size && size <= UINT64_MAX - base)
			keep(base, size);
	}
}

bool ivrs_hide(uint64_t rsdp)
{
	uint64_t table;

	while ((table = acpi_find_table(rsdp, signature))) {
		uint8_t *bytes = phys(table);

		for (unsigned int i = 0; i < SIGNATURE_SIZE; i++) {
			bytes[TABLE_CHECKSUM] =
				(uint8_t)(bytes[TABLE_CHECKSUM] + bytes[i] - hidden_signature[i]);
			bytes[i] = (uint8_t)hidden_signature[i];
		}
		if (acpi_table_length(table, signature))
			return false;
	}
	return true;
}
