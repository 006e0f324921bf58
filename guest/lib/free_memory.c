/*
 * The largest piece of free memory. Relies on the loader's map.
 */
#include "guest/lib/free_memory.h"
#include "guest/lib/memory_map.h"
#include "guest/lib/tap.h"
#include "hv/print.h"
#include "hv/x86.h"

#define LIMIT 0xc0000000ull /* from here on, machines have other things */

extern char image_end[];

struct free_memory free_memory_find(uint64_t bytes)
{
	static char reason[64];
	uint64_t image = ((uintptr_t)image_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	struct free_memory found = {0, 0, 0};

	for (unsigned int i = 0; memory_range(i); i++) {
		const struct memory_range *range = memory_range(i);
		uint64_t from = range->start > image ? range->start : image;
		uint64_t to = range->end < LIMIT ? range->end : LIMIT;

		from = (from + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
		to &= ~(uint64_t)(PAGE_SIZE - 1);
		if (!range->usable || from >= to)
			continue;
		if (to > found.top)
			found.top = to;
		if (to - from > found.end - found.start) {
			found.start = from;
			found.end = to;
		}
	}
	if (found.end - found.start < bytes) {
		snprint(reason, sizeof(reason),
		        "less than %llu MiB of free memory in the loader's map",
		        (unsigned long long)(bytes >> 20));
		run_skipped(reason);
	}
	return found;
}
