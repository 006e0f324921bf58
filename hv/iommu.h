/*
 * AMD's IOMMUs: turned on with one set of tables (hv/iommu_tables.h) for all of them, and asked
 * what they have kept from devices. Relies on phys() of hv/phys.h for their registers.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification 3.08, chapters 2.4, 2.5 and 3.4.
 */
#ifndef HV_IOMMU_H
#define HV_IOMMU_H

#include <stdbool.h>
#include <stdint.h>

/* As the IVRS tells of it. */
struct iommu_unit {
	uint64_t base;     /* hpa of its registers */
	uint16_t segment;  /* of PCI, where the unit is a function, and whose devices it serves */
	uint16_t function; /* bus << 8 | device << 3 | function */
	uint8_t flags;     /* IOMMU_FLAG_ */
};

enum { IOMMU_UNITS_MAX = 32 };

/* How firmware wants it to be; 5.2.2.1. */
enum {
	IOMMU_FLAG_TUNNEL = 1 << 0,
	IOMMU_FLAG_PASS_POSTED = 1 << 1,
	IOMMU_FLAG_PASS_RESPONSES = 1 << 2,
	IOMMU_FLAG_ISOCHRONOUS = 1 << 3,
};

/* Bytes of a unit's registers: without counters, and with them. */
#define IOMMU_REGISTERS_LEAST (16ull << 10)
#define IOMMU_REGISTERS_MOST  (512ull << 10)

/* ... of this one; 0: nobody answers there. */
uint64_t iommu_registers_size(uint64_t base);

/* Pages of the heap for each unit. */
enum { IOMMU_UNIT_PAGES = 2 };

/*
 * Turns a unit on with this device table (hpa), whatever state firmware left it in. False: it does
 * not do what it should, and is off, or L0 has no page table left to reach it by. To be called once
 * for each unit, IOMMU_UNITS_MAX at most.
 */
bool iommu_start(const struct iommu_unit *unit, uint64_t devices);

/*
 * Logs what units have refused since the last look: the device and the address, one line for a
 * device and second. QEMU's does not note any.
 */
void iommu_tell_refused(void);

#endif
