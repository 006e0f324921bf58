/*
 * The little of PCI that the screen needs: whose memory it is, and whether it still is. By ports
 * CF8h and CFCh, so for segment 0 (PCI 3.0, 3.2.2.3). While L1 runs the ports are its own.
 * Relies on hv/x86.h.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include <stdbool.h>
#include <stdint.h>

/* A base address register of memory, as it was found. */
struct pci_memory {
	uint16_t function; /* bus << 8 | device << 3 | function */
	uint8_t offset;    /* of the register in the configuration space */
	bool wide;         /* it has 64 bits */
	uint32_t low, high;
};

/*
 * Finds the display device that has all of [base, base + bytes), hpa, in one of its ranges of
 * memory, and decodes it. To learn how large a range is, its device decodes nothing for a moment.
 */
bool pci_find_display(uint64_t base, uint64_t bytes, struct pci_memory *found);

/* Does the same device still decode the same range? */
bool pci_has_not_moved(const struct pci_memory *memory);

#endif
