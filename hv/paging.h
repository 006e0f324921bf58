/*
 * L0's own page tables: the image where it was linked, and the window onto physical memory.
 * Relies on hv/memory.h and hv/window.h.
 */
#ifndef HV_PAGING_H
#define HV_PAGING_H

#include "hv/window.h"

#include <stdbool.h>

/* Levels of L0's own tables, and of those that it makes for guests, without LA57. */
#ifdef __x86_64__
#define PAGING_LEVELS 4
#else
#define PAGING_LEVELS 3
#endif

/*
 * Builds tables that map the image from new_image_hpa, and in the window these ranges as
 * hv/window.h has it, copies the image there and goes on in the copy under the new tables, with 5
 * levels or 4. Everything that lies in the image, the stack included, moves along.
 */
void paging_move_image(uint64_t new_image_hpa, const struct window_range *ranges,
                       unsigned int count, bool la57);

/* Takes the identity map away, so that a stray null pointer faults. */
void paging_forget_identity(void);

/* Puts it back for a while: the first 2 MiB, where other processors begin, and the image. */
void paging_remember_identity(void);

#endif
