/*
 * A disk behind AHCI whose model is NESTLING. AHCI 1.3.1; ATA8-ACS.
 */
#include "guest/hostile/dma_device.h"
#include "hv/pci.h"

#include <stddef.h>

enum {
	CLASS_MASK = -0x100,
	CLASS_AHCI = 0x01060100,
	HBA_BAR = 5,

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
	MODEL = 54, /* bytes of what IDENTIFY brings, each two of them swapped */
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
} area __attribute__((aligned(DMA_PAGE)));

static volatile uint8_t identity[DMA_PAGE] __attribute__((aligned(DMA_PAGE)));
static volatile uint8_t *hba, *port;

/* Of the disk's first sectors. */
static bool issue(uint8_t command, uint64_t gpa, uint32_t bytes, uint32_t flags)
{
	uint8_t fis[] = {FIS_TO_DEVICE,
	                 FIS_IS_COMMAND,
	                 command,
	                 0,
	                 0,
	                 0,
	                 0,
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
	*dma_register(port, PORT_STATUS) = ~0u;
	*dma_register(port, PORT_ISSUED) = 1;
	return dma_comes_to(dma_register(port, PORT_ISSUED), 1, 0) &&
	       dma_comes_to(dma_register(port, PORT_TASK), TASK_BUSY, 0) &&
	       !(*dma_register(port, PORT_TASK) & TASK_ERROR);
}

static bool start_port(void)
{
	*dma_register(port, PORT_COMMAND) &= ~(uint32_t)(COMMAND_START | COMMAND_RECEIVE);
	if (!dma_comes_to(dma_register(port, PORT_COMMAND), COMMAND_RUNS, 0))
		return false;
	*dma_register(port, PORT_LIST) = (uint32_t)(uintptr_t)area.list;
	*dma_register(port, PORT_LIST_HIGH) = 0;
	*dma_register(port, PORT_RECEIVED) = (uint32_t)(uintptr_t)area.received;
	*dma_register(port, PORT_RECEIVED_HIGH) = 0;
	*dma_register(port, PORT_ERRORS) = ~0u;
	*dma_register(port, PORT_COMMAND) |= COMMAND_RECEIVE | COMMAND_SPIN_UP;
	*dma_register(port, PORT_COMMAND) |= COMMAND_START;
	return true;
}

static bool is_model(const char *model)
{
	unsigned int i = 0;

	if (!start_port() || !issue(ATA_IDENTIFY, (uintptr_t)identity, SECTOR, 0))
		return false;
	while (model[i] && (char)identity[(MODEL + i) ^ 1] == model[i])
		i++;
	return !model[i];
}

static bool find_disk(const char *model)
{
	uint32_t implemented = *dma_register(hba, HBA_IMPLEMENTED);

	for (unsigned int i = 0; i < HBA_PORTS; i++) {
		port = hba + HBA_PORT + (uintptr_t)i * HBA_PORT_BYTES;
		if ((implemented >> i & 1) &&
		    (*dma_register(port, PORT_LINK) & LINK_MASK) == LINK_UP && is_model(model))
			return true;
	}
	return false;
}

static const char *find(void)
{
	unsigned int function;

	if (!pci_device_find(PCI_CLASS, CLASS_AHCI, CLASS_MASK, &function))
		return "there is no AHCI";
	hba = pci_device_take(function, HBA_BAR, HBA_BYTES);
	if (!hba)
		return "AHCI's registers are not below 4 GiB";
	*dma_register(hba, HBA_CONTROL) |= HBA_ENABLED;
	return find_disk("NESTLING") ? NULL : "no disk is one to be written to";
}

static bool copy(uint64_t to, uint64_t from)
{
	bool good = issue(ATA_WRITE, from, DMA_PAGE, LIST_WRITE);

	return issue(ATA_READ, to, DMA_PAGE, 0) && good;
}

const struct dma_device dma_ahci = {
	.group = "dma-ahci", .find = find, .bytes = DMA_PAGE, .stride = 1, .copy = copy};
