/* Relies on hv/x86.h. */
#include "hv/pci.h"

enum {
	FUNCTIONS = 1 << 16,
	FUNCTIONS_OF_DEVICE = 8,
	REG_HEADER = 0x0c,
	REG_BAR0 = 0x10,
	REG_BARS_END = 0x28, /* of a device; bridges have two only, and are no displays */
	COMMAND_MEMORY = 1 << 1,
	CLASS_SHIFT = 16, /* base class and sub-class */
	CLASS_VGA_OLD = 0x0001,
	BASE_CLASS_SHIFT = 24,
	BASE_CLASS_DISPLAY = 3,
	HEADER_SHIFT = 16,
	HEADER_MANY = 0x80,
	HEADER_KIND = 0x7f,
	BAR_IO = 1 << 0,
	BAR_KIND = 6,
	BAR_WIDE = 4,
	BAR_FLAGS = 0xf,
};
#define NOBODY       0xffffffffu
#define COMMAND_ONLY 0xffffu

static struct pci_memory read_memory(unsigned int function, unsigned int offset)
{
	struct pci_memory memory = {.function = (uint16_t)function, .offset = (uint8_t)offset};

	memory.low = pci_read(function, offset);
	memory.wide = (memory.low & BAR_KIND) == BAR_WIDE && offset + 4 < REG_BARS_END;
	if (memory.wide)
		memory.high = pci_read(function, offset + 4);
	return memory;
}

/* PCI 3.0, 6.2.5.1: the bits that stay 0 tell the size. */
static uint64_t measure(const struct pci_memory *memory)
{
	unsigned int function = memory->function, offset = memory->offset;
	uint32_t command = pci_read(function, PCI_COMMAND) & COMMAND_ONLY, high = NOBODY, low;

	pci_write(function, PCI_COMMAND, command & ~(uint32_t)COMMAND_MEMORY);
	pci_write(function, offset, NOBODY);
	low = pci_read(function, offset) & ~(uint32_t)BAR_FLAGS;
	pci_write(function, offset, memory->low);
	if (memory->wide) {
		pci_write(function, offset + 4, NOBODY);
		high = pci_read(function, offset + 4);
		pci_write(function, offset + 4, memory->high);
	}
	pci_write(function, PCI_COMMAND, command);
	return -((uint64_t)high << 32 | low);
}

static bool holds(const struct pci_memory *memory, uint64_t base, uint64_t bytes)
{
	uint64_t from = (uint64_t)memory->high << 32 | (memory->low & ~(uint32_t)BAR_FLAGS), size;

	if ((memory->low & BAR_IO) || !from || from > base)
		return false;
	size = measure(memory);
	return base - from < size && bytes <= size - (base - from);
}

static bool function_holds(unsigned int function, uint64_t base, uint64_t bytes,
                           struct pci_memory *found)
{
	if (!(pci_read(function, PCI_COMMAND) & COMMAND_MEMORY))
		return false;
	for (unsigned int offset = REG_BAR0; offset < REG_BARS_END; offset += 4) {
		*found = read_memory(function, offset);
		if (holds(found, base, bytes))
			return true;
		if (found->wide)
			offset += 4;
	}
	return false;
}

static bool is_display(unsigned int function)
{
	uint32_t class = pci_read(function, PCI_CLASS);

	return class >> BASE_CLASS_SHIFT == BASE_CLASS_DISPLAY ||
	       class >> CLASS_SHIFT == CLASS_VGA_OLD;
}

bool pci_find_display(uint64_t base, uint64_t bytes, struct pci_memory *found)
{
	for (unsigned int function = 0; function < FUNCTIONS; function++) {
		unsigned int header;

		if (pci_read(function, PCI_ID) == NOBODY) {
			/* A device without its first function is none. */
			if (function % FUNCTIONS_OF_DEVICE == 0)
				function += FUNCTIONS_OF_DEVICE - 1;
			continue;
		}
		header = pci_read(function, REG_HEADER) >> HEADER_SHIFT;
		if (!(header & HEADER_KIND) && is_display(function) &&
		    function_holds(function, base, bytes, found))
			return true;
		if (function % FUNCTIONS_OF_DEVICE == 0 && !(header & HEADER_MANY))
			function += FUNCTIONS_OF_DEVICE - 1;
	}
	return false;
}

bool pci_has_not_moved(const struct pci_memory *memory)
{
	uint32_t address = inl(PCI_PORT_ADDRESS);
	struct pci_memory now = read_memory(memory->function, memory->offset);
	bool on = pci_read(memory->function, PCI_COMMAND) & COMMAND_MEMORY;

	outl(PCI_PORT_ADDRESS, address);
	return on && now.low == memory->low && now.high == memory->high && now.wide == memory->wide;
}
