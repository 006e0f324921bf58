/*
 * HyperTransport's range: FD_0000_0000h to FF_FFFF_FFFFh by AMD's IOMMU specification and the
 * BKDGs; from family 17h on at FFFD_0000_0000h with 48 bits, by the PPRs. CPUID
 * Fn8000_001F_EBX[11:6]: APM vol. 3, appendix E.
 */
#include "boot/holes.h"
#include "hv/exception.h"
#include "hv/x86.h"

enum {
	LEAF_FEATURES = 1,
	FAMILY_SHIFT = 8, /* of its EAX */
	FAMILY = 0xf,
	EXTENDED_FAMILY_SHIFT = 20,
	EXTENDED_FAMILY = 0xff,
	FAMILY_17H = 0x17,
	REDUCTION_SHIFT = 6, /* of EBX of the leaf of encryption */
	REDUCTION = 0x3f,
	LEAST_BITS = 40, /* with fewer it cannot be addressed */
	OLD_BITS = 40,
};
#define LEAF_EXTENDED   0x80000000u
#define LEAF_SIZES      0x80000008u
#define LEAF_ENCRYPTION 0x8000001fu
#define HOLE_SIZE       (12ull << 30)

static unsigned int family(void)
{
	uint32_t eax = cpuid(LEAF_FEATURES, 0).eax;
	unsigned int base = eax >> FAMILY_SHIFT & FAMILY;

	return base < FAMILY ? base : base + (eax >> EXTENDED_FAMILY_SHIFT & EXTENDED_FAMILY);
}

static unsigned int address_bits(void)
{
	uint32_t last = cpuid(LEAF_EXTENDED, 0).eax;
	unsigned int bits = last >= LEAF_SIZES ? cpuid(LEAF_SIZES, 0).eax & 0xff : 0;
	uint64_t syscfg = 0;

	if (last >= LEAF_ENCRYPTION && rdmsr_safe(MSR_SYSCFG, &syscfg) &&
	    (syscfg & SYSCFG_MEM_ENCRYPT))
		bits -= cpuid(LEAF_ENCRYPTION, 0).ebx >> REDUCTION_SHIFT & REDUCTION;
	return bits;
}

struct mem_range hole_of_hypertransport(void)
{
	unsigned int bits = address_bits();
	struct mem_range hole = {.type = MEM_HOLE};

	if (bits < LEAST_BITS)
		return hole;
	hole.size = HOLE_SIZE;
	hole.base = (1ull << (family() < FAMILY_17H ? OLD_BITS : bits)) - HOLE_SIZE;
	return hole;
}

bool holes_cut(struct memmap *map)
{
	struct mem_range hole = hole_of_hypertransport();

	return memmap_add(map, hole.base, hole.size, hole.type);
}
