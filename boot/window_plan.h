/*
 * What L0's window is to map: all that may be L1's memory, L0's among it; and, uncached, below
 * 4 GiB what firmware keeps, for tables and code may lie there, the first MiB, the ROM of a reset,
 * and the interrupt controllers; above it the code of EFI's services. Relies on boot/memmap.h,
 * boot/l1_ranges.h and hv/window.h.
 */
#ifndef BOOT_WINDOW_PLAN_H
#define BOOT_WINDOW_PLAN_H

#include "boot/memmap.h"
#include "hv/window.h"

/*
 * Writes the ranges, of which there is room for BOOT_MAX_RANGES, and their number. False: there are
 * more. map: the firmware's, with l1_ranges_add() and without holes; rsdp: of ACPI's tables, which
 * a loader's map may leave out, an hpa or 0; apic: the hpa of the page where this processor has its
 * own.
 */
bool window_plan(const struct memmap *map, uint64_t rsdp, uint64_t apic,
                 struct window_range *ranges, unsigned int *count);

#endif
