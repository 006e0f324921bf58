/*
 * The page tables of 32-bit L0, in PAE mode, and the move of the image to its place, at which it
 * stays where it was linked. Relies on hv/window.h for most of the tables.
 */
#include "hv/image.h"
#include "hv/memory.h"
#include "hv/paging.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum { TABLE_ENTRIES = 512, DIRECTORIES = 4, SHIFT_2M = 21 };

/* hv/move_i386.asm */
void move_and_switch(void *to, const void *from, uint32_t bytes, uint32_t cr3);

static uint64_t *pds; /* all four, one behind the other */

static void map_image(uint64_t hpa)
{
	uint64_t *pt = window_table(pds, (uintptr_t)image_base >> SHIFT_2M);

	for (uint64_t at = 0; at < image_size(); at += PAGE_SIZE)
		pt[at >> PAGE_SHIFT] = (hpa + at) | WINDOW_P | WINDOW_W;
}

/* la57 is none of a 32-bit L0's: boot/start.c. */
void paging_move_image(uint64_t new_image_hpa, const struct window_range *ranges,
                       unsigned int count, bool la57)
{
	uint64_t *pdpt = heap_pages(1);

	(void)la57;
	pds = heap_pages(DIRECTORIES);
	for (unsigned int i = 0; i < DIRECTORIES;
	     i++) /* W is reserved; APM vol. 2, section 5.2.3 */
		pdpt[i] = hpa_of(pds + i * TABLE_ENTRIES) | WINDOW_P;
	window_map(pdpt, ranges, count);
	map_image(new_image_hpa);
	image_hpa = new_image_hpa;
	move_and_switch(phys(new_image_hpa), image_base, (uint32_t)image_size(),
	                (uint32_t)hpa_of(pdpt));
}

void paging_forget_identity(void)
{
	pds[0] = 0;
	write_cr3(read_cr3());
}

/* The image's own place is the window's. */
void paging_remember_identity(void)
{
	pds[0] = WINDOW_P | WINDOW_W | WINDOW_LARGE;
	write_cr3(read_cr3());
}
