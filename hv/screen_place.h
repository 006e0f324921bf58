/*
 * Where the framebuffer's pages of 2 MiB, or their tables, belong in the page tables that are used
 * now. Relies on the page tables of boot/entry.asm and hv/paging.h.
 */
#ifndef HV_SCREEN_PLACE_H
#define HV_SCREEN_PLACE_H

#include "hv/window.h"

#define SCREEN_A_AND_D (1ull << 5 | 1ull << 6) /* so that the processor does not write them */
/* An entry that leads to a table. */
#define SCREEN_TABLE (WINDOW_P | WINDOW_W | SCREEN_A_AND_D)

struct screen_place {
	uint64_t *entry;      /* the first one of those for up to SCREEN_MAP_MAX bytes */
	volatile uint8_t *at; /* what it maps */
};

/* For what begins at this hpa, a multiple of 2 MiB. What was mapped there may be gone. */
struct screen_place screen_place(uint64_t hpa);

#endif
