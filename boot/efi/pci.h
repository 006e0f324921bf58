/*
 * PCI configuration space of bus 0, by ports. Relies on hv/x86.h.
 */
#ifndef BOOT_EFI_PCI_H
#define BOOT_EFI_PCI_H

#include <stdint.h>

#include "hv/x86.h"

enum {
	PCI_ID = 0x00, /* device in the high half, vendor in the low one */
	PCI_REVISION = 0x08,
	PCI_PORT_ADDRESS = 0xcf8,
	PCI_PORT_DATA = 0xcfc,
	PCI_DEVICE_SHIFT = 11,
	PCI_FUNCTION_SHIFT = 8,
};
#define PCI_ENABLE (1u << 31)

/* 32 bits at an offset that is a multiple of 4; all ones where nobody answers. */
static inline uint32_t pci_read(uint32_t device, uint32_t function, uint32_t offset)
{
	outl(PCI_PORT_ADDRESS,
	     PCI_ENABLE | device << PCI_DEVICE_SHIFT | function << PCI_FUNCTION_SHIFT | offset);
	return inl(PCI_PORT_DATA);
}

#endif
