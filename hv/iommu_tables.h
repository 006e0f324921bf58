/*
 * The tables of AMD's IOMMU: every device reaches what it would reach without one, under the same
 * address, but for what is kept from all of them. Relies on hv/memory.h for pages.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification 3.08, sections 2.2.2.1 and 2.2.3.
 */
#ifndef HV_IOMMU_TABLES_H
#define HV_IOMMU_TABLES_H

#include <stdint.h>

/* What is kept from devices, hpa: [base, end), of whole pages. */
struct iommu_range {
	uint64_t base, end;
};

/* Of address bits: what lies above is out of every device's reach. */
enum { IOMMU_MAX_BITS = 48 };

/* Functions of all buses of a segment, which are what a device table is indexed by. */
enum { IOMMU_FUNCTIONS = 1 << 16, IOMMU_DEVICE_BYTES = 32 };
#define IOMMU_DEVICES_SIZE ((uint64_t)IOMMU_FUNCTIONS * IOMMU_DEVICE_BYTES)

/*
 * Pages of the heap that both tables take, at most, for a processor of so many address bits and
 * count ranges of so many bytes together.
 */
uint64_t iommu_tables_pages(unsigned int bits, unsigned int count, uint64_t bytes);

/* Builds the page tables; returns the root's hpa. */
uint64_t iommu_pages_build(unsigned int bits, const struct iommu_range *kept, unsigned int count);

/* Builds the device table: all of its entries lead to that root. Returns its hpa. */
uint64_t iommu_devices_build(uint64_t root);

/* What of a device's messages besides interrupts passes, as the IVRS has it in a byte; 5.2.2.1. */
enum {
	IOMMU_PASS_INIT = 1 << 0,
	IOMMU_PASS_EXTINT = 1 << 1,
	IOMMU_PASS_NMI = 1 << 2,
	IOMMU_SYSTEM_MANAGEMENT = 3 << 4,
	IOMMU_PASS_LINT0 = 1 << 6,
	IOMMU_PASS_LINT1 = 1 << 7,
};

/* Adds this to what passes of the devices first to last: bus << 8 | device << 3 | function. */
void iommu_devices_pass(uint64_t devices, uint16_t first, uint16_t last, uint8_t what);

#endif
