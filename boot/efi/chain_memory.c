/*
 * Memory that is L0's for good: reserved, so that it stands so in the map of whoever comes after.
 * How much L0 needs it finds out itself (boot/start.c); this is more than that, and what is left is
 * given back. Relies on boot/efi/memory_map.h.
 */
#include "boot/efi/chain.h"
#include "boot/efi/memory_map.h"
#include "hv/x86.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)

/* boot/start.c, boot/l1_ranges.c, svm/start/new_vcpu.c */
#define POOL_FRACTION 64
#define POOL_LEAST    (1 * MIB)
#define POOL_MOST     (64 * MIB)
#define EACH          (640 * KIB) /* of the others: a vcpu, a stack, tables */
#define PLUGGED_SPAN  (512ull << 30)
#define PLUGGED_TIMES 16
#define OWN           (16 * MIB) /* the image, its heap, tables of IOMMUs, the rest of pages of 2 MiB */

static UINT64 pages_of(UINT64 bytes)
{
	return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* What memory there is, and where it ends. */
static UINT64 usable(const struct boot_info *info, UINT64 *end)
{
	UINT64 size = 0;

	*end = 0;
	for (UINT32 i = 0; i < info->range_count; i++) {
		const struct mem_range *range = &info->ranges[i];

		if (range->type == MEM_RESERVED)
			continue;
		if (range->type == MEM_USABLE)
			size += range->size;
		if (range->base + range->size > *end)
			*end = range->base + range->size;
	}
	return size;
}

/* plugged: memory that may be plugged in counts, as far as it ever does. */
static UINT64 estimate(const struct config *config, const struct boot_info *info, bool plugged)
{
	UINT64 end, size = usable(info, &end), others = info->chain.count - 1;
	UINT64 pool = config->pool_bytes ? config->pool_bytes : size / POOL_FRACTION;
	UINT64 more = size * PLUGGED_TIMES < PLUGGED_SPAN ? size * PLUGGED_TIMES : PLUGGED_SPAN;

	if (pool < POOL_LEAST)
		pool = POOL_LEAST;
	if (!config->pool_bytes && pool > POOL_MOST)
		pool = POOL_MOST;
	if (plugged && end < SIZE_4G + more)
		end = SIZE_4G + more;
	return OWN + pool + others * EACH + (end >> PAGE_SHIFT) + (end >> 18);
}

static bool allocate(UINT64 bytes, struct boot_chain *chain)
{
	EFI_PHYSICAL_ADDRESS at = SIZE_4G - 1;

	if (bytes >= SIZE_4G ||
	    EFI_ERROR(efi->BootServices->AllocatePages(AllocateMaxAddress, EfiReservedMemoryType,
	                                               pages_of(bytes), &at)))
		return false;
	chain->memory_base = at;
	chain->memory_size = pages_of(bytes) << PAGE_SHIFT;
	return true;
}

const char *chain_take_memory(const struct config *config, struct boot_info *info)
{
	struct efi_memory_map map;

	/* What runs in the firmware's own code may have to be read by L0: it is memory. */
	if (EFI_ERROR(efi_memory_map(&map)) || !efi_ranges(map, MEM_NVS, info))
		return "the firmware's memory map is larger than Nestling knows: please report "
		       "this machine";
	if (allocate(estimate(config, info, true), &info->chain) ||
	    allocate(estimate(config, info, false), &info->chain))
		return NULL;
	return "too little memory in one piece below 4 GiB: add memory, or make pool= smaller";
}

static void give_back(UINT64 base, UINT64 end)
{
	if (base < end)
		efi->BootServices->FreePages(base, pages_of(end - base));
}

void chain_give_back(struct boot_info *info)
{
	const struct boot_chain *chain = &info->chain;
	UINT64 end = chain->memory_base + chain->memory_size;

	if (!chain->taken_size) {
		give_back(chain->memory_base, end);
		return;
	}
	give_back(chain->memory_base, chain->taken_base);
	give_back(chain->taken_base + chain->taken_size, end);
}
