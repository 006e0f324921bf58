/*
 * Devices that L0's consoles have to know of from ACPI: the serial port that the firmware talks on,
 * and the IOMMUs. Relies on boot/acpi.h.
 */
#ifndef BOOT_ACPI_DEVICES_H
#define BOOT_ACPI_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

/* What the SPCR names ("Serial Port Console Redirection Table", Microsoft). */
struct acpi_serial {
	uint16_t port;    /* of a 16550 in I/O space; 0: it is something else */
	uint8_t type;     /* "interface type" */
	uint8_t space;    /* 0: memory, 1: I/O space; ACPI 6.5, 5.2.3.2 */
	uint64_t address; /* 0: the firmware does not talk */
};

/* False: there is no such table. rsdp is an hpa, may be 0. */
bool acpi_serial_port(uint64_t rsdp, struct acpi_serial *serial);

/*
 * Does [base, base + bytes), of hpas, meet the registers of an IOMMU that the IVRS names? Each has
 * ACPI_IOMMU_BYTES, and with performance counters up to ACPI_IOMMU_MOST. AMD's IOMMU specification
 * 3.08, sections 3.4 and 5.2.2.
 */
enum { ACPI_IOMMU_BYTES = 16 << 10, ACPI_IOMMU_MOST = 512 << 10 };
bool acpi_meets_iommu(uint64_t rsdp, uint64_t base, uint64_t bytes, uint64_t each);

#endif
