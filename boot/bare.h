/*
 * L1 on the machine itself: the loader of L0's, and then no L0. So the EFI program starts an image
 * bare as well. Relies on boot/load.h.
 */
#ifndef BOOT_BARE_H
#define BOOT_BARE_H

#include "boot/load.h"

/*
 * Enters what was loaded as its multiboot protocol says, with paging, long mode and all of CR4 off,
 * and the register PAT as the firmware had it. L0's memory stays reserved in the map that L1 was
 * told. Stops where L1 is of another protocol.
 */
_Noreturn void bare_run(const struct load_result *loaded, uint64_t pat);

#endif
