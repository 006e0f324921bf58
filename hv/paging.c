/*
 * L0's own page tables, and the move of the image to its place. Relies on hv/window.h for
 * most of them, and on hv/move.asm for the switch itself, which must leave 64-bit mode to change
 * the levels.
 */
#include "hv/paging.h"
#include "hv/image.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum { TABLE_ENTRIES = 512 };

/* hv/move.asm. All addresses are hpas below 4 GiB except from, the image as it is mapped now. */
void move_and_switch(uint64_t to, const void *from, uint64_t bytes, uint64_t cr3, uint64_t cr4);

static uint64_t *pml4;
static uint64_t identity; /* its entry */

static void map_image(uint64_t hpa)
{
	uint64_t base = (uint64_t)(uintptr_t)image_base;
	uint64_t *pdpt = window_table(pml4, 511);
	uint64_t *pd = window_table(pdpt, base >> 30 & 511);
	uint64_t *pt = window_table(pd, base >> 21 & 511);

	for (uint64_t at = 0; at < image_size(); at += PAGE_SIZE)
		pt[at >> PAGE_SHIFT] = (hpa + at) | WINDOW_P | WINDOW_W;
}

/* The switch runs with paging off, so its page has to be where it says it is. */
static void map_identity(uint64_t hpa)
{
	uint64_t *pdpt = window_table(pml4, 0);
	uint64_t *pd = window_table(pdpt, hpa >> 30 & 511);

	pd[hpa >> 21 & 511] = (hpa & ~(SIZE_2M - 1)) | WINDOW_P | WINDOW_W | WINDOW_LARGE;
}

void paging_move_image(uint64_t new_image_hpa, const struct window_range *ranges,
                       unsigned int count, bool la57)
{
	uint64_t *root;

	pml4 = heap_pages(1);
	root = pml4;
	window_map(pml4, ranges, count);
	map_image(new_image_hpa);
	map_identity(new_image_hpa);
	map_identity(0);
	identity = pml4[0];
	if (la57) {
		root = heap_pages(1);
		root[0] = root[TABLE_ENTRIES - 1] = hpa_of(pml4) | WINDOW_P | WINDOW_W;
	}
	image_hpa = new_image_hpa;
	move_and_switch(new_image_hpa, image_base, image_size(), hpa_of(root),
	                (read_cr4() & CR4_MCE) | CR4_PAE | (la57 ? CR4_LA57 : 0));
}

void paging_forget_identity(void)
{
	pml4[0] = 0;
	write_cr3(read_cr3());
}

void paging_remember_identity(void)
{
	pml4[0] = identity;
	write_cr3(read_cr3());
}
