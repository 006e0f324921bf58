/*
 * The framebuffer in L0's address space. Relies on the page tables of boot/entry.asm and
 * hv/paging.h.
 */
#ifndef HV_SCREEN_MAP_H
#define HV_SCREEN_MAP_H

#include <stdint.h>

/* Bytes of a framebuffer that can be mapped. */
#define SCREEN_MAP_MAX (512ull << 20)

/*
 * Maps [base, base + bytes), hpa, in the page tables that are used now, write-combining where the
 * PAT is L0's. Returns where it is; the same place for each call, and whatever was there is gone.
 */
volatile void *screen_map_pixels(uint64_t base, uint64_t bytes);

#endif
