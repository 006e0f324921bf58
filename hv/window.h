/*
 * What the window of hv/phys.h maps, and how: memory write-back; all else below 4 GiB uncached, for
 * the devices that L0 has to do with; nothing else. A processor may read ahead what is mapped
 * write-back, whether anybody asks or not, and at a hole or a device that can end the machine.
 * Relies on hv/memory.h for pages and on hv/mtrr.h for pages that may be large.
 */
#ifndef HV_WINDOW_H
#define HV_WINDOW_H

#include <stdint.h>

/* Entries of L0's own tables; APM vol. 2, section 5.3. */
#define WINDOW_P     (1ull << 0)
#define WINDOW_W     (1ull << 1)
#define WINDOW_PWT   (1ull << 3)
#define WINDOW_PCD   (1ull << 4)
#define WINDOW_LARGE (1ull << 7)
#define WINDOW_NX    (1ull << 63)

/* Memory, hpa: [base, end). What is a part of a page counts as all of it. */
struct window_range {
	uint64_t base, end;
};

/* Maps it; the ranges are sorted. */
void window_map(uint64_t *pml4, const struct window_range *memory, unsigned int count);

/* Pages of the heap that the tables take, at most. Holes take none. */
uint64_t window_pages(const struct window_range *memory, unsigned int count);

/* The table that an entry leads to; made if there is none. */
uint64_t *window_table(uint64_t *table, unsigned int index);

#endif
