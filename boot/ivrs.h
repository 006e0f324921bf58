/*
 * The I/O Virtualization Reporting Structure of ACPI: which IOMMUs there are, and what firmware
 * wants of them. Relies on boot/acpi.h. rsdp is an hpa everywhere, and may be 0.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification 3.08, section 5.2.
 */
#ifndef BOOT_IVRS_H
#define BOOT_IVRS_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/iommu.h"

enum ivrs_result {
	IVRS_NONE,
	IVRS_FOUND,
	IVRS_BROKEN,   /* a block is longer than the table, or too short for what it is */
	IVRS_TOO_MANY, /* units; the first IOMMU_UNITS_MAX are told */
};

/* All units, each once, and how many. */
enum ivrs_result ivrs_units(uint64_t rsdp, struct iommu_unit *units, unsigned int *count);

/* Does [base, base + bytes), of hpas, meet the registers of one of them, which have so many bytes
 * each? */
bool ivrs_meets(uint64_t rsdp, uint64_t base, uint64_t bytes, uint64_t each);

/*
 * Calls pass for what passes of devices besides interrupts: the devices first to last, and
 * IOMMU_PASS_ of hv/iommu_tables.h.
 */
typedef void ivrs_pass(void *context, uint16_t first, uint16_t last, uint8_t what);
void ivrs_devices(uint64_t rsdp, ivrs_pass *pass, void *context);

/* Calls keep for memory, hpa and bytes, that firmware's devices go on using: it stays theirs. */
void ivrs_memory(uint64_t rsdp, void (*keep)(uint64_t base, uint64_t size));

/*
 * Makes it none: it has another name from now on, with a right checksum, and whoever looks for
 * IOMMUs finds nothing. False: it cannot be written to.
 */
bool ivrs_hide(uint64_t rsdp);

#endif
