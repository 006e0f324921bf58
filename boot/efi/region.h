/*
 * The report's region in memory: at a few places that are the same after each reset, so that it is
 * found again. Relies on boot/efi/report.h and boot/efi/efi_program.h.
 */
#ifndef BOOT_EFI_REGION_H
#define BOOT_EFI_REGION_H

#include "boot/efi/run_state.h"

/*
 * Takes the region that holds a state of whose, else the first place that is free; NULL when none
 * is. In the memory map that L0 and L1 get it is ACPI's (NVS). What it holds is as the reset left
 * it.
 */
void *region_take(uint32_t whose, uint32_t images);

/* The state beside the report, if it is one. */
bool region_state(const void *region, uint32_t whose, uint32_t images, struct run_state *state);

/* Puts it there, and all that is in the region out of the processor's caches. */
void region_keep_state(void *region, const struct run_state *state);

/* Nothing in it counts any more. */
void region_forget(void *region);

#endif
