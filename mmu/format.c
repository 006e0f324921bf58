/*
 * The formats of guest page tables as data. Relies on mmu/format.h.
 */
#include "mmu/format.h"

#include <stddef.h>

/*
 * Bits 8:7 of PML4Es and PML5Es must be zero; APM vol. 2, figures 5-20 and 5-21. In PDPEs and PDEs
 * that point to tables bit 8 is ignored.
 */
#define RSV_PML (3ull << 7)

/* PDPTEs of PAE: bits 2:1, 8:5 and all above the address; APM vol. 2, figure 5-15. */
#define RSV_PDPTE ((3ull << 1) | (0xfull << 5) | (0xfffull << 52))

/* Entries of PAE tables: bits 62:52 must be zero; long mode ignores them. Figures 5-12, 5-13. */
#define RSV_PAE_HIGH (0x7ffull << 52)

const struct pt_format pt_formats[PT_FORMATS] = {
	[PT_2LEVEL] = {.levels = 2,
                       .entry_size = 4,
                       .index_bits = 10,
                       .address_bits = 32,
                       .root_mask = 0xfffff000,
                       .level = {[1] = {12, 10, true, 0}, [2] = {22, 10, true, 0}}},
	[PT_PAE] = {.levels = 3,
                    .entry_size = 8,
                    .index_bits = 9,
                    .address_bits = 32,
                    .root_mask = 0xffffffe0,
                    .level = {[1] = {12, 9, true, RSV_PAE_HIGH},
                              [2] = {21, 9, true, RSV_PAE_HIGH},
                              [3] = {30, 2, false, RSV_PDPTE}}},
	[PT_4LEVEL] = {.levels = 4,
                       .entry_size = 8,
                       .index_bits = 9,
                       .address_bits = 48,
                       .root_mask = ~0xfffull,
                       .level = {[1] = {12, 9, true, 0},
                                 [2] = {21, 9, true, 0},
                                 [3] = {30, 9, true, 0},
                                 [4] = {39, 9, true, RSV_PML}}},
	[PT_5LEVEL] = {.levels = 5,
                       .entry_size = 8,
                       .index_bits = 9,
                       .address_bits = 57,
                       .root_mask = ~0xfffull,
                       .level = {[1] = {12, 9, true, 0},
                                 [2] = {21, 9, true, 0},
                                 [3] = {30, 9, true, 0},
                                 [4] = {39, 9, true, RSV_PML},
                                 [5] = {48, 9, true, RSV_PML}}},
};

enum { ENTRY_ADDRESS_BITS = 52, PSE36_SHIFT = 13, PSE36_BITS = 8, PSE_FRAME_SHIFT = 22 };

static uint64_t bits_between(unsigned int low, unsigned int high)
{
	return low >= high ? 0 : ((1ull << high) - 1) & ~((1ull << low) - 1);
}

/* 4 MiB pages: bit 21 and those of 20:13 that name an address beyond the physical width. */
static uint64_t pse_reserved(uint8_t phys_bits)
{
	unsigned int usable = phys_bits > 32 ? phys_bits - 32u : 0;

	if (usable > PSE36_BITS)
		usable = PSE36_BITS;
	return bits_between(PSE36_SHIFT + usable, PSE_FRAME_SHIFT);
}

void paging_mode_init(struct paging_mode *mode, enum pt_format_id id, uint32_t flags,
                      uint8_t phys_bits)
{
	const struct pt_format *format = &pt_formats[id];
	bool wide = format->entry_size == 8;
	uint64_t beyond = wide ? bits_between(phys_bits, ENTRY_ADDRESS_BITS) : 0;

	if (!wide) /* NX is a bit of 8-byte entries */
		flags &= ~MODE_NX;
	mode->format = format;
	mode->id = id;
	mode->flags = flags;
	mode->phys_bits = phys_bits;
	mode->pdptes = NULL;
	mode->address_mask = wide ? bits_between(PT_PAGE_SHIFT, phys_bits) : 0xfffff000;
	mode->large_levels = 0;
	if (wide || (flags & MODE_PSE))
		mode->large_levels |= 1u << 2;
	if (id >= PT_4LEVEL && (flags & MODE_1G))
		mode->large_levels |= 1u << 3;

	for (int level = 1; level <= PT_MAX_LEVEL; level++) {
		const struct pt_level *l = &format->level[level];
		uint64_t reserved = l->reserved | beyond;

		if (wide && l->rights && !(flags & MODE_NX))
			reserved |= PTE_NX;
		if (!l->rights && (flags & MODE_PDPTE_A))
			reserved &= ~PTE_A;
		mode->reserved_large[level] =
			wide ? reserved | bits_between(PT_PAGE_SHIFT + 1, l->shift)
			     : pse_reserved(phys_bits);
		/* Without 1 GiB pages PS is reserved at level 3. */
		if (level == 3 && id >= PT_4LEVEL && !(flags & MODE_1G))
			reserved |= PTE_PS;
		mode->reserved[level] = reserved;
	}
}

uint64_t large_frame(const struct paging_mode *mode, int level, uint64_t entry)
{
	uint64_t frame = entry & mode->address_mask & ~((1ull << level_shift(mode, level)) - 1);

	if (mode->id == PT_2LEVEL)
		frame |= (entry >> PSE36_SHIFT & ((1u << PSE36_BITS) - 1)) << 32;
	return frame;
}
