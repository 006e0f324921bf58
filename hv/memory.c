/*
 * L0's own memory. Relies on hv/image.h, hv/phys.h and hv/log.h.
 */
#include "hv/memory.h"
#include "hv/image.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

uint64_t image_hpa;

static uint64_t heap_next, heap_end;

void heap_init(uint64_t base, uint64_t size)
{
	heap_next = base;
	heap_end = base + size;
}

void *heap_pages(uint64_t pages)
{
	uint64_t bytes = pages * PAGE_SIZE;
	void *page;

	if (bytes > heap_end - heap_next)
		panic("the heap has %llu bytes left, %llu are wanted",
		      (unsigned long long)(heap_end - heap_next), (unsigned long long)bytes);
	page = phys(heap_next);
	heap_next += bytes;
	memset(page, 0, bytes);
	return page;
}

void *heap_aligned(uint64_t pages, uint64_t alignment)
{
	while (heap_next & (alignment - 1))
		heap_pages(1);
	return heap_pages(pages);
}

uint64_t hpa_of(const void *address)
{
	uintptr_t at = (uintptr_t)address, of_image = at - (uintptr_t)image_base;

	return of_image < image_size() ? of_image + image_hpa : at - (uintptr_t)PHYS_WINDOW;
}
