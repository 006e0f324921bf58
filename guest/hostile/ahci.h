/*
 * One disk behind AHCI, programmed by polling: pages go from memory to the disk and back by the
 * controller's DMA. AHCI 1.3.1; ATA8-ACS. Relies on hv/pci.h.
 */
#ifndef GUEST_HOSTILE_AHCI_H
#define GUEST_HOSTILE_AHCI_H

#include <stdbool.h>
#include <stdint.h>

enum { AHCI_PAGE = 4096 };

enum ahci_direction { AHCI_TO_DISK, AHCI_TO_MEMORY };

/* Takes the first disk of the first controller whose model is this. NULL, or what is missing. */
const char *ahci_find(const char *model);

/* Copies the page at gpa to the disk's block of that many bytes, or back. False: that fails. */
bool ahci_copy(uint64_t gpa, uint32_t block, enum ahci_direction direction);

#endif
