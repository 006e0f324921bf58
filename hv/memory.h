/*
 * L0's own memory: where the image is, and a heap that only grows; boot/layout.h has where they
 * lie. Relies on hv/image.h and hv/phys.h.
 */
#ifndef HV_MEMORY_H
#define HV_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Gives the heap its pages, all of [base, base + size), hpa and bytes. */
void heap_init(uint64_t base, uint64_t size);

/*
 * Consecutive zeroed pages for good, in the window; stops with a clear line when the region is
 * too small: that is a mistake in sizing it (boot/start.c), and is found at boot.
 */
void *heap_pages(uint64_t pages);

/* ... of which the first is aligned to this many bytes, in hpa and in the window. */
void *heap_aligned(uint64_t pages, uint64_t alignment);

/* The hpa behind an address of the image or of the window. */
uint64_t hpa_of(const void *address);

#endif
