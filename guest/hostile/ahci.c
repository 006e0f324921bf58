/* Relies on guest/lib/guest.h for mapping the controller's registers. */
#include "guest/hostile/ahci.h"
#include "guest/lib/guest.h"
#include "hv/pci.h"

enum {
	PCI_COMMAND_MEMORY_MASTER = 6,
	PCI_BAR5 = 0x24,
	PCI_FUNCTIONS = 256, /* of the first bus */
	CLASS_SHIFT = 8,
	CLASS_AHCI = 0x010601,
	BAR_FLAGS = 0xf,

	HBA_BYTES = 0x1100,
	HBA_PORTS = 32,
	HBA_CONTROL = 0x04, /* in bytes */
	HBA_IMPLEMENTED = 0x0c,
	HBA_PORT = 0x100,
	HBA_PORT_BYTES = 0x80,

	PORT_LIST = 0x00,
	PORT_LIST_HIGH = 0x04,
	PORT_RECEIVED = 0x08,
	PORT_RECEIVED_HIGH = 0x0c,
	PORT_STATUS = 0x10,
	PORT_COMMAND = 0x18,
	PORT_TASK = 0x20,
	PORT_LINK = 0x28,
	PORT_ERRORS = 0x30,
	PORT_ISSUED = 0x38,
	COMMAND_START = 1 << 0,
	COMMAND_SPIN_UP = 1 << 1,
	COMMAND_RECEIVE = 1 << 4,
	COMMAND_RUNS = 3 << 14,
	LINK_MASK = 0xf,
	LINK_UP = 3,
	TASK_ERROR = 1,
	TASK_BUSY = 0x88,

	FIS_WORDS = 5,
	LIST_WRITE = 1 << 6,
	LIST_PIECES_SHIFT = 16,
	FIS_TO_DEVICE = 0x27,
	FIS_IS_COMMAND = 0x80,
	ATA_IDENTIFY = 0xec,
	ATA_READ = 0x25,
	ATA_WRITE = 0x35,
	ATA_LBA = 0x40,
	SECTOR = 512,
	SECTORS = AHCI_PAGE / SECTOR,
	MODEL = 54, /* bytes of what IDENTIFY brings, each two of them swapped */
	PATIENCE = 1 << 22,
};
#define HBA_ENABLED (1u << 31)

/* What the controller reads and writes besides data. */
static volatile struct {
	uint32_t list[256];
	uint32_t received[64];
	struct {
		uint8_t fis[64], packet[16], reserved[48];
		uint32_t base, base_high, reserved2, bytes;
	} table;
} area __attribute__((aligned(AHCI_PAGE)));

static volatile uint8_t identity[AHCI_PAGE] __attribute__((aligned(AHCI_PAGE)));
static volatile uint8_t *hba, *port;

static volatile uint32_t *reg(volatile uint8_t *from, unsigned int offset)
{
	return (volatile uint32_t *)(from + offset);
}

static bool comes_to(unsigned int offset, uint32_t mask, uint32_t value)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if ((*reg(port, offset) & mask) == value)
			return true;
		__asm__ volatile("pause");
	}
	return false;
}

static bool issue(uint8_t command, uint64_t gpa, uint32_t bytes, uint32_t block, uint32_t flags)
{
	uint32_t sector = block * SECTORS;
	uint8_t fis[] = {FIS_TO_DEVICE,
	                 FIS_IS_COMMAND,
	                 command,
	                 0,
	                 (uint8_t)sector,
	                 (uint8_t)(sector >> 8),
	                 (uint8_t)(sector >> 16),
	                 ATA_LBA,
	                 0,
	                 0,
	                 0,
	                 0,
	                 (uint8_t)(bytes / SECTOR)};

	for (unsigned int i = 0; i < sizeof(fis); i++)
		area.table.fis[i] = fis[i];
	area.table.base = (uint32_t)gpa;
	area.table.base_high = (uint32_t)(gpa >> 32);
	area.table.bytes = bytes - 1;
	area.list[0] = FIS_WORDS | flags | 1u << LIST_PIECES_SHIFT;
	area.list[1] = 0;
	area.list[2] = (uint32_t)(uintptr_t)&area.table;
	area.list[3] = 0;
	*reg(port, PORT_STATUS) = ~0u;
	*reg(port, PORT_ISSUED) = 1;
	return comes_to(PORT_ISSUED, 1, 0) && comes_to(PORT_TASK, TASK_BUSY, 0) &&
	       !(*reg(port, PORT_TASK) & TASK_ERROR);
}

static bool start_port(void)
{
	*reg(port, PORT_COMMAND) &= ~(uint32_t)(COMMAND_START | COMMAND_RECEIVE);
	if (!comes_to(PORT_COMMAND, COMMAND_RUNS, 0))
		return false;
	*reg(port, PORT_LIST) = (uint32_t)(uintptr_t)area.list;
	*reg(port, PORT_LIST_HIGH) = 0;
	*reg(port, PORT_RECEIVED) = (uint32_t)(uintptr_t)area.received;
	*reg(port, PORT_RECEIVED_HIGH) = 0;
	*reg(port, PORT_ERRORS) = ~0u;
	*reg(port, PORT_COMMAND) |= COMMAND_RECEIVE | COMMAND_SPIN_UP;
	*reg(port, PORT_COMMAND) |= COMMAND_START;
	return true;
}

static bool is_model(const char *model)
{
	unsigned int i = 0;

	if (!start_port() || !issue(ATA_IDENTIFY, (uintptr_t)identity, SECTOR, 0, 0))
		return false;
	while (model[i] && (char)identity[(MODEL + i) ^ 1] == model[i])
		i++;
	return !model[i];
}

static bool find_disk(const char *model)
{
	uint32_t implemented = *reg(hba, HBA_IMPLEMENTED);

	for (unsigned int i = 0; i < HBA_PORTS; i++) {
		port = hba + HBA_PORT + (uintptr_t)i * HBA_PORT_BYTES;
		if ((implemented >> i & 1) && (*reg(port, PORT_LINK) & LINK_MASK) == LINK_UP &&
		    is_model(model))
			return true;
	}
	return false;
}

static void take_controller(unsigned int function)
{
	uint32_t base = pci_read(function, PCI_BAR5) & ~(uint32_t)BAR_FLAGS;
	uint32_t command = pci_read(function, PCI_COMMAND) & 0xffff;

	pci_write(function, PCI_COMMAND, command | PCI_COMMAND_MEMORY_MASTER);
	hba = (volatile uint8_t *)(uintptr_t)base;
	pt_map_range(&l1_tables, base, base, HBA_BYTES, 1, PT_RW | PT_PCD);
	*reg(hba, HBA_CONTROL) |= HBA_ENABLED;
}

const char *ahci_find(const char *model)
{
	for (unsigned int function = 0; function < PCI_FUNCTIONS; function++) {
		if (pci_read(function, PCI_CLASS) >> CLASS_SHIFT != CLASS_AHCI)
			continue;
		take_controller(function);
		return find_disk(model) ? NULL : "no disk is one to be written to";
	}
	return "there is no AHCI";
}

bool ahci_copy(uint64_t gpa, uint32_t block, enum ahci_direction direction)
{
	bool to_disk = direction == AHCI_TO_DISK;

	return issue(to_disk ? ATA_WRITE : ATA_READ, gpa, AHCI_PAGE, block,
	             to_disk ? LIST_WRITE : 0);
}
