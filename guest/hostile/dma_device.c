/* Relies on guest/lib/guest.h for mapping registers. */
#include "guest/hostile/dma_device.h"
#include "guest/lib/guest.h"
#include "hv/pci.h"

enum {
	PCI_COMMAND_MEMORY_MASTER = 6,
	PCI_COMMAND_MASK = 0xffff,
	PCI_BAR = 0x10,
	PCI_BAR_FLAGS = 0xf,
	PCI_BAR_IS_PORT = 1,
	PCI_BAR_WIDE = 4,
	PCI_FUNCTIONS = 256, /* of a bus */
	PATIENCE = 1 << 22,
};

bool pci_device_find(unsigned int offset, uint32_t value, uint32_t mask, unsigned int *function)
{
	for (*function = 0; *function < PCI_FUNCTIONS; (*function)++) {
		if ((pci_read(*function, offset) & mask) == value)
			return true;
	}
	return false;
}

volatile uint8_t *pci_device_take(unsigned int function, unsigned int bar, uint32_t bytes)
{
	unsigned int at = PCI_BAR + bar * sizeof(uint32_t);
	uint32_t command = pci_read(function, PCI_COMMAND) & PCI_COMMAND_MASK;
	uint32_t low = pci_read(function, at);
	uint32_t base = low & ~(uint32_t)PCI_BAR_FLAGS;

	if (!base || (low & PCI_BAR_IS_PORT) ||
	    ((low & PCI_BAR_WIDE) && pci_read(function, at + sizeof(uint32_t))))
		return NULL;
	pci_write(function, PCI_COMMAND, command | PCI_COMMAND_MEMORY_MASTER);
	pt_map_range(&l1_tables, base, base, bytes, 1, PT_RW | PT_PCD);
	return (volatile uint8_t *)(uintptr_t)base;
}

bool dma_comes_to(const volatile uint32_t *where, uint32_t mask, uint32_t value)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if ((*where & mask) == value)
			return true;
		__asm__ volatile("pause");
	}
	return false;
}
