/*
 * L0's own page tables, and the move of the image to its place. Relies on hv/memory.h for pages
 * and on hv/move.asm for the switch itself, which must leave 64-bit mode to change the levels.
 */
#include "hv/paging.h"
#include "hv/image.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum {
	PTE_P = 1 << 0,
	PTE_W = 1 << 1,
	PTE_LARGE = 1 << 7,
	TABLE_ENTRIES = 512,
	CPUID_EXT_FEATURES = 0x80000001,
};
#define PTE_NX      (1ull << 63)
#define EDX_PAGE1GB (1u << 26)

/* hv/move.asm. All addresses are hpas below 4 GiB except from, the image as it is mapped now. */
void move_and_switch(uint64_t to, const void *from, uint64_t bytes, uint64_t cr3, uint64_t cr4);

static uint64_t *pml4;
static uint64_t identity; /* its entry */

static uint64_t *next_table(uint64_t *table, unsigned int index)
{
	if (!(table[index] & PTE_P)) {
		uint64_t *page = heap_pages(1);

		table[index] = hpa_of(page) | PTE_P | PTE_W;
		return page;
	}
	return phys(table[index] & ~0xfffull);
}

static void map_window(uint64_t top)
{
	bool giant = cpuid(CPUID_EXT_FEATURES, 0).edx & EDX_PAGE1GB;

	for (uint64_t hpa = 0; hpa < top; hpa += SIZE_1G) {
		uint64_t *pdpt = next_table(pml4, 256 + (unsigned int)(hpa >> 39));
		unsigned int index = hpa >> 30 & 511;

		if (giant) {
			pdpt[index] = hpa | PTE_P | PTE_W | PTE_LARGE | PTE_NX;
			continue;
		}
		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			next_table(pdpt, index)[i] =
				(hpa + i * SIZE_2M) | PTE_P | PTE_W | PTE_LARGE | PTE_NX;
	}
}

static void map_image(uint64_t hpa)
{
	uint64_t base = (uint64_t)(uintptr_t)image_base;
	uint64_t *pdpt = next_table(pml4, 511);
	uint64_t *pd = next_table(pdpt, base >> 30 & 511);
	uint64_t *pt = next_table(pd, base >> 21 & 511);

	for (uint64_t at = 0; at < image_size(); at += PAGE_SIZE)
		pt[at >> PAGE_SHIFT] = (hpa + at) | PTE_P | PTE_W;
}

/* The switch runs with paging off, so its page has to be where it says it is. */
static void map_identity(uint64_t hpa)
{
	uint64_t *pdpt = next_table(pml4, 0);
	uint64_t *pd = next_table(pdpt, hpa >> 30 & 511);

	pd[hpa >> 21 & 511] = (hpa & ~(SIZE_2M - 1)) | PTE_P | PTE_W | PTE_LARGE;
}

void paging_move_image(uint64_t new_image_hpa, uint64_t top, bool la57)
{
	uint64_t *root;

	pml4 = heap_pages(1);
	root = pml4;
	map_window(top);
	map_image(new_image_hpa);
	map_identity(new_image_hpa);
	map_identity(0);
	identity = pml4[0];
	if (la57) {
		root = heap_pages(1);
		root[0] = root[TABLE_ENTRIES - 1] = hpa_of(pml4) | PTE_P | PTE_W;
	}
	image_hpa = new_image_hpa;
	move_and_switch(new_image_hpa, image_base, image_size(), hpa_of(root),
	                CR4_PAE | (la57 ? CR4_LA57 : 0));
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
