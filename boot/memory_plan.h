/*
 * Whose memory is what while L0 boots: what the firmware told, what is free, where L0 goes, and
 * what L1 is told. Relies on boot/layout.h.
 */
#ifndef BOOT_MEMORY_PLAN_H
#define BOOT_MEMORY_PLAN_H

#include "boot/layout.h"
#include "hv/memory.h"
#include "hv/window.h"

static inline uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

#define MIB(bytes) ((unsigned long long)((bytes) >> 20))

/*
 * Reads the firmware's map. What must not be written to before it was used is not free: the image,
 * at this hpa, the modules, and all below 1 MiB. To be called first, after features_init(). Stops
 * where the map has too many ranges.
 */
void plan_read(const struct boot_info *info, uint64_t image_at);

/* L0's memory is not to be here, hpa and bytes. By pages. Stops where the map is full. */
void plan_keep_free(uint64_t base, uint64_t size);

/* Bytes of ordinary memory; hpa of the end of all that may be L1's. */
uint64_t plan_memory_size(void);
uint64_t plan_memory_end(void);

/* What L0's window is to map (boot/window_plan.h). */
const struct window_range *plan_window(unsigned int *count);

/* Free memory from 1 MiB on, and below 4 GiB; 0: there is none. Not what EFI's boot services left,
 * in which some of EFI's tables lie, as long as there is other. */
uint64_t plan_take_low(uint64_t size);

/*
 * A page below 1 MiB, not where a BIOS has its own, that is L1's again afterwards: where processors
 * begin. 0: there is none.
 */
uint64_t plan_low_page(void);

/* Finds L0's own memory, of which L1 is told that it is reserved. False: there is no place. */
bool plan_layout(const struct layout_need *need, struct layout *layout);

/* Modules may lie where L1 wants to be loaded: they wait at the top of low memory. */
struct mem_range plan_stage_modules(struct boot_info *info);

/* The map that L1 is told. */
struct memmap *plan_told(void);
void plan_log(void);

/* Tells svm/ what memory is L1's. */
void plan_tell_l1(const struct layout *layout);

#endif
