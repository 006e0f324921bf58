/*
 * QEMU's teaching device (docs/specs/edu in its source): 4 KiB of its own, to and from which it
 * copies. An address has 28 bits there, and a copy takes 100 ms of the machine's time.
 */
#include "guest/hostile/dma_device.h"
#include "hv/pci.h"

#include <stddef.h>

enum {
	ID = 0x11e81234,
	REGISTERS = 0x100, /* bytes */
	BUFFER = 0x40000,  /* its own, as its registers call it */
	FROM = 0x80,
	TO = 0x88,
	COUNT = 0x90,
	COMMAND = 0x98,
	COMMAND_START = 1,
	COMMAND_TO_MEMORY = 2,
	/* A copy that ends where the buffer does ends QEMU 7.2. */
	BYTES = DMA_PAGE - sizeof(uint32_t),
};

static volatile uint8_t *registers;

static const char *find(void)
{
	unsigned int function;

	if (!pci_device_find(PCI_ID, ID, ~0u, &function))
		return "there is no edu device";
	registers = pci_device_take(function, 0, REGISTERS);
	return registers ? NULL : "edu's registers are not below 4 GiB";
}

static bool move(uint64_t to, uint64_t from, uint32_t command)
{
	*dma_register(registers, FROM) = (uint32_t)from;
	*dma_register(registers, TO) = (uint32_t)to;
	*dma_register(registers, COUNT) = BYTES;
	*dma_register(registers, COMMAND) = COMMAND_START | command;
	return dma_comes_to(dma_register(registers, COMMAND), COMMAND_START, 0);
}

static bool copy(uint64_t to, uint64_t from)
{
	return move(BUFFER, from, 0) && move(to, BUFFER, COMMAND_TO_MEMORY);
}

const struct dma_device dma_edu = {
	.group = "dma-edu", .find = find, .bytes = BYTES, .stride = 32, .copy = copy};
