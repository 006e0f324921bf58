/*
 * Where else than in its memory L1's code may run, so that L0 can read what exited. Relies on
 * boot/memmap.h.
 */
#ifndef BOOT_L1_CODE_H
#define BOOT_L1_CODE_H

#include "boot/memmap.h"

/* Where a processor begins after a reset is a ROM: its code segment (APM vol. 2, table 14-1). */
#define L1_RESET_CODE 0xffff0000ull

/*
 * Hands it to l1_code_add(): the first MiB but for VGA's; the ROM of a reset; and what is reserved
 * below 4 GiB and cached by the real MTRRs, for there are devices as well, and those are not
 * cached. boot/window_plan.h maps all of it.
 */
void l1_code_tell(const struct memmap *map);

#endif
