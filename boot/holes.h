/*
 * Addresses at which no memory answers, whatever firmware's map says: an access there may end the
 * machine. Relies on boot/memmap.h, and on features_init() having been called.
 */
#ifndef BOOT_HOLES_H
#define BOOT_HOLES_H

#include "boot/memmap.h"

/*
 * HyperTransport's 12 GiB: below 1 TiB on processors before family 17h, else below the end of
 * physical addresses, which memory encryption lowers.
 */
struct mem_range hole_of_hypertransport(void);

/* Cuts them out of the map, as MEM_HOLE. False: it is full. */
bool holes_cut(struct memmap *map);

#endif
