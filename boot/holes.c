/*
 * HyperTransport's range: FD_0000_0000h to FF_FFFF_FFFFh by AMD's IOMMU specification and the
 * BKDGs; from family 17h on at FFFD_0000_0000h with 48 bits, by the PPRs. Relies on svm/features.h.
 */
#include "boot/holes.h"
#include "svm/features.h"

enum {
	FAMILY_17H = 0x17,
	LEAST_BITS = 40, /* with fewer it cannot be addressed */
	OLD_BITS = 40,
};
#define HOLE_SIZE (12ull << 30)

struct mem_range hole_of_hypertransport(void)
{
	unsigned int bits = features.address_bits;
	struct mem_range hole = {.type = MEM_HOLE};

	if (bits < LEAST_BITS)
		return hole;
	hole.size = HOLE_SIZE;
	hole.base = (1ull << (features.family < FAMILY_17H ? OLD_BITS : bits)) - HOLE_SIZE;
	return hole;
}

bool holes_cut(struct memmap *map)
{
	struct mem_range hole = hole_of_hypertransport();

	return memmap_add(map, hole.base, hole.size, hole.type);
}
