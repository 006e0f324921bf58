/*
 * Devices that L1 programs to do DMA, each by polling: pages go from memory into the device and
 * back. Each is one of QEMU's that is marked as there for that: a disk by its model or number,
 * since it is written to. Relies on hv/pci.h.
 */
#ifndef GUEST_HOSTILE_DMA_DEVICE_H
#define GUEST_HOSTILE_DMA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

enum { DMA_PAGE = 4096 };

struct dma_device {
	const char *group;         /* of points */
	const char *(*find)(void); /* prepares it; NULL, or what is missing */
	uint32_t bytes;            /* of a page it can take: all or a little less */
	uint32_t stride; /* pages from one that is tried to the next: 1, if it is not slow */

	/*
	 * Those bytes at gpa from go into the device, then those that it has to gpa to. False: it
	 * does not say that both went well; what it has is then sent nevertheless.
	 */
	bool (*copy)(uint64_t to, uint64_t from);
};

extern const struct dma_device dma_ahci, dma_edu, dma_e1000, dma_virtio;

/*
 * The first function of the first bus whose configuration has that value at that offset, in the
 * bits of the mask. False: there is none.
 */
bool pci_device_find(unsigned int offset, uint32_t value, uint32_t mask, unsigned int *function);

/*
 * Lets the function do DMA and decode memory, and maps that many bytes of its base address
 * register, uncached. NULL: they are not below 4 GiB.
 */
volatile uint8_t *pci_device_take(unsigned int function, unsigned int bar, uint32_t bytes);

/* A register of 32 bits, at an offset in bytes. */
static inline volatile uint32_t *dma_register(volatile uint8_t *registers, unsigned int offset)
{
	return (volatile uint32_t *)(registers + offset);
}

/* Waits until the bits of the mask have that value; false: they do not come to it. */
bool dma_comes_to(const volatile uint32_t *where, uint32_t mask, uint32_t value);

#endif
