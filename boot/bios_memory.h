/*
 * What a BIOS tells L1 of memory. L1 may ask it itself, as Xen and each loader do, and must not be
 * offered L0's memory: INT 15h gets a handler before it, in a piece of base memory that L1 is told
 * is reserved, which answers E820h, E801h, 88h and DA88h from L1's map. It works until L1 writes
 * another vector, as the BIOS itself does. Relies on boot/memmap.h and hv/phys.h.
 */
#ifndef BOOT_BIOS_MEMORY_H
#define BOOT_BIOS_MEMORY_H

#include <stdbool.h>

#include "boot/memmap.h"

/* Has the machine a BIOS that can be called: are its vectors and its data area there? */
bool bios_is_there(void);

/*
 * Takes base memory for the handler out of the map that L1 is told, which may grow by some ranges
 * until bios_memory_hook(), and out of what INT 12h and 40:13 tell. Does nothing without a BIOS.
 * Returns false when there is no room.
 */
bool bios_memory_reserve(struct memmap *told);

/* Puts the handler there, with what the map says now. Returns false when the map has grown more. */
bool bios_memory_hook(const struct memmap *told);

#endif
