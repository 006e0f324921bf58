/*
 * The machine as a person sends it with a report: firmware, processor, SVM, APIC, MTRRs, memory
 * map, CPUID. Relies on boot/efi/efi_program.h and boot/efi/out.h.
 */
#ifndef BOOT_EFI_MACHINE_TEXT_H
#define BOOT_EFI_MACHINE_TEXT_H

#include <stdint.h>

#include "boot/efi/out.h"

/* Writes it all, in lines. */
void machine_text(struct out *out);

/* A number that tells this machine and firmware from another one. */
uint32_t machine_sum(uint32_t sum);

#endif
