/*
 * The little of PCI that is needed: whose memory the screen is, and whether it still is; and for
 * the EFI program, of what make a device is. By ports CF8h and CFCh, so for segment 0
 * (PCI 3.0, 3.2.2.3). While L1 runs the ports are its own. Relies on hv/x86.h.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/x86.h"

enum {
	PCI_PORT_ADDRESS = 0xcf8,
	PCI_PORT_DATA = 0xcfc,
	PCI_ID = 0x00,      /* device in the high half, vendor in the low one */
	PCI_COMMAND = 0x04, /* and the status above it, which forgets what is written as 1 */
	PCI_CLASS = 0x08,   /* above the revision, of 8 bits */
	PCI_DEVICE_SHIFT = 3,
};
#define PCI_ENABLE (1u << 31)

/*
 * 32 bits at an offset that is a multiple of 4; all ones where nobody answers. function: bus << 8 |
 * device << 3 | function.
 */
static inline uint32_t pci_read(unsigned int function, unsigned int offset)
{
	outl(PCI_PORT_ADDRESS, PCI_ENABLE | function << 8 | offset);
	return inl(PCI_PORT_DATA);
}

static inline void pci_write(unsigned int function, unsigned int offset, uint32_t value)
{
	outl(PCI_PORT_ADDRESS, PCI_ENABLE | function << 8 | offset);
	outl(PCI_PORT_DATA, value);
}

/* A base address register of memory, as it was found. */
struct pci_memory {
	uint16_t function; /* as of pci_read() */
	uint8_t offset;    /* of the register in the configuration space */
	bool wide;         /* it has 64 bits */
	uint32_t low, high;
};

/*
 * Finds the display device that has all of [base, base + bytes), hpa, in one of its ranges of
 * memory, and decodes it. To learn how large a range is, its device decodes nothing for a moment.
 */
bool pci_find_display(uint64_t base, uint64_t bytes, struct pci_memory *found);

/*
 * Does the same device still decode the same range? The ports are left as they were: a processor
 * that could not be stopped may be about to write to another register than this one has chosen.
 */
bool pci_has_not_moved(const struct pci_memory *memory);

#endif
