/*
 * Which addresses L0 reads and writes for L1, where L1 names them in a VMCB, a table or a map:
 * those at which memory is or may come to be. Besides what firmware calls memory (L0's own will be
 * cut out by who asks) that is persistent memory, which L1 may use as any other, and what ACPI's
 * SRAT says memory may be plugged into while L1 runs. Never what firmware calls reserved: devices
 * are there, and holes; but code and data of EFI's runtime services are, which e820 calls so.
 * Relies on boot/memmap.h and boot/acpi.h.
 */
#ifndef BOOT_L1_RANGES_H
#define BOOT_L1_RANGES_H

#include "boot/memmap.h"

/*
 * Adds the ranges that the SRAT calls enabled and hot-pluggable or non-volatile, as MEM_HOTPLUG,
 * which L1 is not told of: it reads the SRAT itself. Only from 4 GiB on; below it there are
 * devices, which some firmware's ranges do not spare. What firmware told stays as it is.
 */
void l1_ranges_add(struct memmap *map, uint64_t rsdp);

/*
 * Makes ordinary memory reserved that is so far away that a byte for each frame up to its end,
 * holes included, would cost more than 1/64 of all memory up to there (but nothing below 8 GiB).
 * Returns where the first of it was, and the size of all; 0: there was none.
 */
struct mem_range l1_ranges_cut(struct memmap *map);

/*
 * The end of what of map->range[i] may be L1's; the range's base when nothing of it may. Of each
 * frame L0 keeps a byte, so persistent memory and memory that may come count only as far as that
 * costs at most 1/256 of the memory that is there, and 128 MiB; ACPI's as l1_ranges_cut() has it.
 */
uint64_t l1_range_end(const struct memmap *map, uint32_t i);

/* The highest of these ends; 0: there is none. */
uint64_t l1_ranges_end(const struct memmap *map);

#endif
