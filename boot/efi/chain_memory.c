/*
 * Memory that is L0's for good: reserved, so that it stands so in the map of whoever comes after.
 * How much L0 needs it finds out itself (boot/start.c); this is more than that, and what is left is
 * given back. Relies on boot/efi/memory_map.h and, for the end of memory, on boot/l1_ranges.h.
 */
#include "boot/efi/chain.h"
#include "boot/efi/memory_map.h"
#include "boot/efi_map.h"
#include "boot/l1_ranges.h"
#include "boot/layout.h"
#include "hv/x86.h"

#define KIB (1ull << 10)
#define MIB (1ull << 20)

/* boot/start.c, svm/start/new_vcpu.c */
#define EACH (640 * KIB) /* of the others: a vcpu, a stack, tables */
#define OWN  (16 * MIB)  /* the image, its heap, tables of IOMMUs, the rest of pages of 2 MiB */

static UINT64 pages_of(UINT64 bytes)
{
	return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* As the core will see it (boot/memory_plan.c). False: it is larger than that knows. */
static bool memory(const struct boot_info *info, struct memmap *map)
{
	map->count = 0;
	for (UINT32 i = 0; i < info->range_count; i++) {
		const struct mem_range *range = &info->ranges[i];

		if (!memmap_add(map, range->base, range->size, range->type))
			return false;
	}
	l1_ranges_add(map, info->rsdp);
	return efi_map_runtime(&info->efi, map);
}

static UINT64 estimate(const struct config *config, const struct boot_info *info,
                       const struct memmap *map)
{
	UINT64 end = l1_ranges_end(map), pool;

	pool = layout_pool(config->pool_bytes, memmap_usable_size(map));
	return OWN + pool + (info->chain.count - 1) * EACH + (end >> PAGE_SHIFT) + (end >> 17);
}

static bool allocate(UINT64 bytes, struct boot_chain *chain)
{
	EFI_PHYSICAL_ADDRESS at = SIZE_4G - 1;

	if (EFI_ERROR(efi->BootServices->AllocatePages(AllocateMaxAddress, EfiReservedMemoryType,
	                                               pages_of(bytes), &at)))
		return false;
	chain->memory_base = at;
	chain->memory_size = pages_of(bytes) << PAGE_SHIFT;
	return true;
}

const char *chain_take_memory(const struct config *config, struct boot_info *info)
{
	static struct memmap map;
	struct efi_memory_map told;

	if (EFI_ERROR(efi_memory_map(&told)) || !efi_tell_map(told, info) || !memory(info, &map))
		return "the firmware's memory map is larger than Nestling knows: please report "
		       "this machine";
	if (!allocate(estimate(config, info, &map), &info->chain))
		return "too little memory in one piece below 4 GiB: add memory, or make pool= "
		       "smaller";
	return NULL;
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
