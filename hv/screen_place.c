/*
 * In 64-bit L0 the framebuffer has a gigabyte of its own, beside the image's. Relies on hv/memory.h
 * and hv/phys.h.
 */
#include "hv/screen_place.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	IN_A_TABLE = 512,
	TOP = 511,
	SCREEN_ENTRY = 509 /* of the table that has the image in 510 */
};
#define SCREEN_AT 0xffffffff40000000ull
#define FRAME     0x000ffffffffff000ull

static uint64_t directory[IN_A_TABLE] __attribute__((aligned(PAGE_SIZE)));

/* The table that has the image, too. */
static uint64_t *upper_table(void)
{
	uint64_t *table = phys(read_cr3() & FRAME);

	if (read_cr4() & CR4_LA57)
		table = phys(table[TOP] & FRAME);
	return phys(table[TOP] & FRAME);
}

struct screen_place screen_place(uint64_t hpa)
{
	(void)hpa;
	memset(directory, 0, sizeof(directory));
	upper_table()[SCREEN_ENTRY] = hpa_of(directory) | SCREEN_TABLE;
	return (struct screen_place){directory, (volatile uint8_t *)(uintptr_t)SCREEN_AT};
}
