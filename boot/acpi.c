/*
 * The little that booting has to know of ACPI. Firmware is believed, but only as far as lengths
 * agree. A table's checksum does not count: operating systems take one with a bad sum all the same,
 * and what they find there L0 must know. Relies on hv/phys.h and hv/string.h.
 */
#include "boot/acpi.h"
#include "boot/efi_table.h"
#include "boot/firmware_memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

/* Where a BIOS puts the root pointer: 16-byte aligned in one of these. */
#define BDA_EBDA_SEGMENT 0x40eu
#define EBDA_LOWEST      0x80000u
#define EBDA_SCAN_SIZE   0x400u
#define BIOS_SCAN_BASE   0xe0000u
#define BIOS_SCAN_END    0x100000u
#define RSDP_ALIGN       16u

/* No table of a real machine is longer; what says it is has a broken length. */
#define TABLE_MAX_SIZE (1u << 20)

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[22];
	uint32_t creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.5, 5.2.6");

enum {
	MADT_ENTRIES = 44, /* offset of the first entry */
	MADT_LOCAL_APIC = 0,
	MADT_LOCAL_APIC_ID = 3,
	MADT_LOCAL_APIC_NONE = 0xff,
	MADT_LOCAL_APIC_FLAGS = 4,
	MADT_LOCAL_APIC_SIZE = 8,
	MADT_IO_APIC = 1,
	MADT_IO_APIC_ADDRESS = 4,
	MADT_IO_APIC_SIZE = 12,
	MADT_LOCAL_X2APIC = 9,
	MADT_LOCAL_X2APIC_ID = 4,
	MADT_LOCAL_X2APIC_FLAGS = 8,
	MADT_LOCAL_X2APIC_SIZE = 16,
	MADT_ENABLED = 1 << 0,
};

size_t acpi_read_rsdp(uint64_t rsdp, struct acpi_rsdp *to)
{
	memset(to, 0, sizeof(*to));
	if (!rsdp || !is_low(rsdp, ACPI_RSDP1_SIZE))
		return 0;
	memcpy(to, phys(rsdp), ACPI_RSDP1_SIZE);
	if (memcmp(to->signature, "RSD PTR ", sizeof(to->signature)) != 0 ||
	    !sum_is_zero((const uint8_t *)to, ACPI_RSDP1_SIZE))
		return 0;
	if (to->revision < 2)
		return ACPI_RSDP1_SIZE;
	if (!is_low(rsdp, sizeof(*to)))
		return 0;
	memcpy(to, phys(rsdp), sizeof(*to));
	if (to->length != sizeof(*to) || !sum_is_zero((const uint8_t *)to, sizeof(*to)))
		return 0;
	return sizeof(*to);
}

/* The EBDA that the BIOS data area names, or 0; without a BIOS the word is anything. */
static uint64_t ebda_base(void)
{
	uint16_t segment;
	uint64_t base;

	memcpy(&segment, phys(BDA_EBDA_SEGMENT), sizeof(segment));
	base = (uint64_t)segment << 4;
	return base >= EBDA_LOWEST && base < 0xa0000u ? base : 0;
}

bool acpi_rsdp_is_scanned(uint64_t rsdp)
{
	uint64_t ebda = ebda_base();

	if (rsdp % RSDP_ALIGN)
		return false;
	return (rsdp >= BIOS_SCAN_BASE && rsdp < BIOS_SCAN_END) ||
	       (ebda && rsdp >= ebda && rsdp < ebda + EBDA_SCAN_SIZE);
}

static uint64_t scan(uint64_t base, uint64_t end)
{
	struct acpi_rsdp rsdp;

	for (uint64_t at = base; at + ACPI_RSDP1_SIZE <= end; at += RSDP_ALIGN)
		if (acpi_read_rsdp(at, &rsdp))
			return at;
	return 0;
}

uint64_t acpi_find_rsdp(void)
{
	uint64_t ebda = ebda_base();
	uint64_t found = ebda ? scan(ebda, ebda + EBDA_SCAN_SIZE) : 0;

	return found ? found : scan(BIOS_SCAN_BASE, BIOS_SCAN_END);
}

uint64_t acpi_rsdp_from_efi(uint64_t system_table, bool wide)
{
	static const uint8_t guids[][EFI_GUID_SIZE] = {
		/* ACPI 2.0's and 1.0's */
		{0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c,
	         0x88, 0x81},
		{0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f,
	         0xc1, 0x4d},
	};
	struct acpi_rsdp rsdp;

	for (unsigned int i = 0; i < sizeof(guids) / sizeof(guids[0]); i++) {
		uint32_t index = 0;
		uint64_t at;

		while ((at = efi_table(system_table, wide, guids[i], &index)))
			if (acpi_read_rsdp(at, &rsdp))
				return at;
	}
	return 0;
}

uint32_t acpi_table_length(uint64_t hpa, const char *signature)
{
	struct acpi_header header;

	if (!hpa || !is_low(hpa, sizeof(header)))
		return 0;
	memcpy(&header, phys(hpa), sizeof(header));
	if (memcmp(header.signature, signature, sizeof(header.signature)) != 0 ||
	    header.length < sizeof(header) || header.length > TABLE_MAX_SIZE ||
	    !is_low(hpa, header.length))
		return 0;
	return header.length;
}

/* The pointers of a root, one after the other. */
struct root {
	uint64_t at, end; /* hpas */
	uint32_t pointer_size;
};

static struct root open_root(uint64_t hpa, const char *signature, uint32_t pointer_size)
{
	uint32_t length = acpi_table_length(hpa, signature);

	return (struct root){hpa + sizeof(struct acpi_header), hpa + length, pointer_size};
}

/* False: there are no more. */
static bool next_table(struct root *root, uint64_t *table)
{
	if (root->at + root->pointer_size > root->end)
		return false;
	*table = read_low(root->at, root->pointer_size);
	root->at += root->pointer_size;
	return true;
}

/* The n-th table of a root; n is less by those that it has. */
static uint64_t find_table(struct root root, const char *signature, unsigned int *n)
{
	uint64_t table;

	while (next_table(&root, &table)) {
		if (acpi_table_length(table, signature) && !(*n)--)
			return table;
	}
	return 0;
}

uint64_t acpi_find_nth_table(uint64_t rsdp, const char *signature, unsigned int n)
{
	struct acpi_rsdp root;
	uint64_t found = 0;

	if (!acpi_read_rsdp(rsdp, &root))
		return 0;
	if (root.revision >= 2)
		found = find_table(open_root(root.xsdt, "XSDT", sizeof(uint64_t)), signature, &n);
	if (found)
		return found;
	return find_table(open_root(root.rsdt, "RSDT", sizeof(uint32_t)), signature, &n);
}

/* A table with whatever signature: all of it, or its header. Returns the bytes that it has. */
static uint32_t tell_one(uint64_t table, char *signature, acpi_place *tell, void *context)
{
	uint32_t length;

	if (!table || !is_low(table, sizeof(struct acpi_header)))
		return 0;
	memcpy(signature, phys(table), sizeof(((struct acpi_header *)0)->signature));
	length = acpi_table_length(table, signature);
	tell(context, table, length ? length : sizeof(struct acpi_header));
	return length;
}

static void tell_table(uint64_t table, acpi_place *tell, void *context)
{
	char signature[] = "    ", other[] = "    ";
	uint32_t length = tell_one(table, signature, tell, context);

	if (strcmp(signature, "FACP") != 0)
		return;
	if (length >= FADT_DSDT + sizeof(uint32_t))
		tell_one(read_low(table + FADT_DSDT, sizeof(uint32_t)), other, tell, context);
	if (length >= FADT_X_DSDT + sizeof(uint64_t))
		tell_one(read_low(table + FADT_X_DSDT, sizeof(uint64_t)), other, tell, context);
}

static void tell_root(uint64_t hpa, const char *signature, uint32_t pointer_size, acpi_place *tell,
                      void *context)
{
	struct root root = open_root(hpa, signature, pointer_size);
	uint64_t table;

	tell_table(hpa, tell, context);
	while (next_table(&root, &table))
		tell_table(table, tell, context);
}

void acpi_places(uint64_t rsdp, acpi_place *tell, void *context)
{
	struct acpi_rsdp root;

	if (!rsdp || !is_low(rsdp, sizeof(root)))
		return;
	tell(context, rsdp, sizeof(root));
	if (!acpi_read_rsdp(rsdp, &root))
		return;
	tell_root(root.xsdt, "XSDT", sizeof(uint64_t), tell, context);
	tell_root(root.rsdt, "RSDT", sizeof(uint32_t), tell, context);
}

uint64_t acpi_find_table(uint64_t rsdp, const char *signature)
{
	return acpi_find_nth_table(rsdp, signature, 0);
}

/* What is taken from a MADT. */
struct madt_list {
	uint32_t *values;
	unsigned int max, count;
};

static void add(struct madt_list *list, uint32_t value)
{
	if (list->count < list->max)
		list->values[list->count++] = value;
}

static uint32_t read32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static void take_processor(const uint8_t *entry, uint8_t size, struct madt_list *list)
{
	if (entry[0] == MADT_LOCAL_APIC && size >= MADT_LOCAL_APIC_SIZE &&
	    entry[MADT_LOCAL_APIC_ID] != MADT_LOCAL_APIC_NONE &&
	    (read32(entry + MADT_LOCAL_APIC_FLAGS) & MADT_ENABLED))
		add(list, entry[MADT_LOCAL_APIC_ID]);
	if (entry[0] == MADT_LOCAL_X2APIC && size >= MADT_LOCAL_X2APIC_SIZE &&
	    (read32(entry + MADT_LOCAL_X2APIC_FLAGS) & MADT_ENABLED))
		add(list, read32(entry + MADT_LOCAL_X2APIC_ID));
}

static void take_io_apic(const uint8_t *entry, uint8_t size, struct madt_list *list)
{
	if (entry[0] == MADT_IO_APIC && size >= MADT_IO_APIC_SIZE)
		add(list, read32(entry + MADT_IO_APIC_ADDRESS));
}

/* Gives each entry to the function; a MADT with a broken one has none. */
static unsigned int list_madt(uint64_t rsdp, uint32_t *values, unsigned int max,
                              void (*take)(const uint8_t *entry, uint8_t size,
                                           struct madt_list *list))
{
	struct madt_list list = {.values = values, .max = max};
	uint64_t table = acpi_find_table(rsdp, "APIC");
	uint32_t length = table ? acpi_table_length(table, "APIC") : 0;
	const uint8_t *madt = phys(table);

	for (uint32_t at = MADT_ENTRIES; at + 2 <= length; at += madt[at + 1]) {
		uint8_t size = madt[at + 1];

		if (size < 2 || size > length - at)
			return 0;
		take(madt + at, size, &list);
	}
	return list.count;
}

unsigned int acpi_cpu_ids(uint64_t rsdp, uint32_t *ids, unsigned int max)
{
	return list_madt(rsdp, ids, max, take_processor);
}

unsigned int acpi_io_apics(uint64_t rsdp, uint32_t *hpas, unsigned int max)
{
	return list_madt(rsdp, hpas, max, take_io_apic);
}
