/*
 * Devices that L0 has to know of from ACPI: the serial port that the firmware talks on, and where
 * PCI's configuration space is in memory. Relies on boot/acpi.h.
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
 * The hpa of the page in which a PCI function has its configuration space, by the MCFG; 0: it names
 * none. function: bus << 8 | device << 3 | function. PCI Firmware Specification 3.0, 4.1.2.
 */
uint64_t acpi_pci_page(uint64_t rsdp, uint16_t segment, uint16_t function);

#endif
