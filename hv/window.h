/*
 * What the window of hv/phys.h maps, and how: memory write-back; devices and what firmware keeps
 * for itself below 4 GiB uncached; no holes. A processor may read ahead what is mapped write-back,
 * whether anybody asks or not, and at a hole or a device that can end the machine. Relies on
 * hv/memory.h for pages and on hv/mtrr.h for pages that may be large.
 */
#ifndef HV_WINDOW_H
#define HV_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Entries of L0's own tables; APM vol. 2, section 5.3. */
#define WINDOW_P     (1ull << 0)
#define WINDOW_W     (1ull << 1)
#define WINDOW_PWT   (1ull << 3)
#define WINDOW_PCD   (1ull << 4)
#define WINDOW_LARGE (1ull << 7)
#define WINDOW_NX    (1ull << 63)

/* Of memory or, below 4 GiB, of devices: whole pages, hpa, [base, end). */
struct window_range {
	uint64_t base, end;
	bool device;
};

/*
 * Maps them, but for what the window never has; they are sorted and meet nowhere. top: the table of
 * the highest level, in PAE mode with all four entries.
 */
void window_map(uint64_t *top, const struct window_range *ranges, unsigned int count);

/*
 * Maps the page of a device below 4 GiB, for good, if nothing is mapped there yet: after
 * window_map(), by one processor at a time. False: there are no tables left for it; they suffice
 * for so many, wherever they are.
 */
enum { WINDOW_DEVICES = 40 };
bool window_device(uint64_t hpa);

/* Pages of the heap that the tables take, at most. Holes take none. */
uint64_t window_pages(const struct window_range *ranges, unsigned int count);

/* The table that an entry leads to; made if there is none. */
uint64_t *window_table(uint64_t *table, unsigned int index);

#endif
