/*
 * The chipset's watchdog, which resets a machine that hangs with interrupts off: by ACPI's WDRT
 * table, in AMD's FCH, or in Intel's ICH9 as QEMU's q35 has it. Relies on hv/x86.h.
 */
#ifndef BOOT_EFI_WATCHDOG_H
#define BOOT_EFI_WATCHDOG_H

#include <stdint.h>

/*
 * Has the machine reset after so many seconds, or as many as the watchdog can count, of which it
 * then writes the number there. Nobody resets it: who runs then has this time in all. Returns its
 * name, or NULL where there is none. rsdp is ACPI's root pointer, or 0.
 */
const char *watchdog_start(uint32_t *seconds, uint64_t rsdp);

#endif
