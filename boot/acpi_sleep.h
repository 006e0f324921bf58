/*
 * Which sleep states the firmware offers: what L0 cannot live through is taken away. Relies on
 * boot/acpi.h.
 */
#ifndef BOOT_ACPI_SLEEP_H
#define BOOT_ACPI_SLEEP_H

#include "svm/emulate/sleep.h"

/*
 * Finds the registers by which the machine sleeps and the types of all sleep states, and renames S2
 * and S3 in the machine's DSDTs and SSDTs, so that an operating system does not offer what would be
 * refused. None are found where the tables are missing or broken; a bad checksum alone changes
 * nothing. rsdp is an hpa, may be 0. ACPI 6.5, sections 5.2.9 and 7.4.2.
 */
void acpi_sleep_states(uint64_t rsdp, struct sleep_states *states);

#endif
