/*
 * The maps of memory while L0 boots: the firmware's, what of it is free, and what L1 is told.
 * Relies on boot/memmap.h.
 */
#include "boot/memory_plan.h"
#include "boot/efi_map.h"
#include "boot/firmware_memory.h"
#include "boot/holes.h"
#include "boot/l1_code.h"
#include "boot/l1_ranges.h"
#include "boot/window_plan.h"
#include "hv/image.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/memory/l1_memory.h"

enum { BIOS_DATA_END = 0x1000 };

static struct memmap firmware_map; /* as the firmware told, ACPI included */
static struct memmap free_map;     /* where nothing lies that is still needed */
static struct memmap told_map;
static const struct boot_efi *efi;
static struct window_range window_ranges[BOOT_MAX_RANGES];
static unsigned int window_count;

/* What must not be written to before it was used. By pages, so that neighbours become one range. */
void plan_keep_free(uint64_t base, uint64_t size)
{
	uint64_t first = base & ~(uint64_t)(PAGE_SIZE - 1);

	if (!memmap_add(&free_map, first, align_up(base + size, PAGE_SIZE) - first, MEM_RESERVED))
		stop("the firmware's memory map and the modules have more than %u pieces: join "
		     "some modules",
		     (unsigned int)BOOT_MAX_RANGES);
}

static _Noreturn void stop_too_many(void)
{
	stop("the firmware's memory map has too many ranges for Nestling (%u)",
	     (unsigned int)BOOT_MAX_RANGES);
}

static void leave_out_far(void)
{
	struct mem_range far = l1_ranges_cut(&firmware_map);

	if (far.size)
		log_info("%llu MiB of memory from %llx on lie too far from all other to be used: "
		         "L1 is told that they are reserved",
		         MIB(far.size), (unsigned long long)far.base);
}

/* What lies where L0 cannot reach it, and its guests neither, is nobody's. */
static void read_range(const struct mem_range *range, uint64_t *beyond)
{
	uint64_t size = range->size;

	if (PHYS_BITS_MOST < 64 && !is_low(range->base, size))
		size = range->base < SIZE_4G ? SIZE_4G - range->base : 0;
	if (range->type == MEM_USABLE)
		*beyond += range->size - size;
	if (size && !memmap_add(&firmware_map, range->base, size, range->type))
		stop_too_many();
}

void plan_read(const struct boot_info *info, uint64_t image_at)
{
	uint64_t beyond = 0;

	for (uint32_t i = 0; i < info->range_count; i++)
		read_range(&info->ranges[i], &beyond);
	if (beyond)
		log_info("%llu MiB above 4 GiB are left out: this Nestling is a 32-bit program",
		         MIB(beyond));
	if (!info->chain.memory_size) /* else the firmware has it in use already */
		leave_out_far();
	efi = &info->efi;
	free_map = firmware_map;
	told_map = firmware_map;
	if (PHYS_BITS_MOST == 64) /* they begin at 4 GiB */
		l1_ranges_add(&firmware_map, info->rsdp);
	if (!efi_map_runtime(efi, &firmware_map) || !holes_cut(&firmware_map) ||
	    !holes_cut(&free_map) ||
	    !window_plan(&firmware_map, info->rsdp, lapic_hpa(), window_ranges, &window_count))
		stop_too_many();
	if (info->chain.memory_size) { /* all other memory is the firmware's */
		free_map.count = 0;
		memmap_add(&free_map, info->chain.memory_base, info->chain.memory_size, MEM_USABLE);
	}
	plan_keep_free(0, SIZE_1M);
	plan_keep_free(image_at, image_size());
	for (uint32_t i = 0; i < info->module_count; i++)
		plan_keep_free(info->modules[i].base, info->modules[i].size);
}

/* Free memory but for what EFI's boot services left: some of EFI's tables lie in it. */
static struct memmap *spared_map(void)
{
	static struct memmap spared;

	spared = free_map;
	if (!efi_map_spare(efi, &spared))
		spared.count = 0;
	return &spared;
}

uint64_t plan_memory_size(void)
{
	return memmap_usable_size(&firmware_map);
}

uint64_t plan_memory_end(void)
{
	return l1_ranges_end(&firmware_map);
}

uint64_t plan_take_low(uint64_t size)
{
	uint64_t at = memmap_find_low(spared_map(), size, PAGE_SIZE, SIZE_1M, SIZE_4G);

	if (!at)
		at = memmap_find_low(&free_map, size, PAGE_SIZE, SIZE_1M, SIZE_4G);
	if (at)
		memmap_add(&free_map, at, size, MEM_RESERVED);
	return at;
}

bool plan_layout(const struct layout_need *need, struct layout *layout)
{
	if (!layout_choose(spared_map(), need, layout) && !layout_choose(&free_map, need, layout))
		return false;
	plan_keep_free(layout->below.base, layout->below.size);
	plan_keep_free(layout->above.base, layout->above.size);
	memmap_add(&told_map, layout->below.base, layout->below.size, MEM_RESERVED);
	memmap_add(&told_map, layout->above.base, layout->above.size, MEM_RESERVED);
	return true;
}

struct mem_range plan_stage_modules(struct boot_info *info)
{
	struct mem_range stage = {0, 0, MEM_RESERVED, 0};
	uint64_t at;

	for (uint32_t i = 0; i < info->module_count; i++)
		stage.size += align_up(info->modules[i].size, PAGE_SIZE);
	if (!stage.size)
		return stage;
	stage.base = memmap_find_high(spared_map(), stage.size, PAGE_SIZE, 0, SIZE_4G);
	if (!stage.base)
		stage.base = memmap_find_high(&free_map, stage.size, PAGE_SIZE, 0, SIZE_4G);
	if (!stage.base)
		stop("too little memory: no room for %llu MiB of modules below 4 GiB besides their "
		     "first place: add memory",
		     MIB(stage.size + SIZE_1M));
	at = stage.base;
	for (uint32_t i = 0; i < info->module_count; i++) {
		struct boot_module *module = &info->modules[i];

		memcpy(phys(at), phys(module->base), module->size);
		module->base = at;
		at += align_up(module->size, PAGE_SIZE);
	}
	return stage;
}

void plan_log(void)
{
	for (uint32_t i = 0; i < told_map.count; i++)
		log_debug("L1's memory: %llx-%llx type %u",
		          (unsigned long long)told_map.range[i].base,
		          (unsigned long long)(told_map.range[i].base + told_map.range[i].size),
		          told_map.range[i].type);
}

void plan_tell_l1(const struct layout *layout)
{
	const struct mem_range *own[] = {&layout->below, &layout->above};

	for (unsigned int n = 0; n < 2; n++)
		l1_memory_hide(own[n]->base, own[n]->size);
	for (uint32_t i = 0; i < firmware_map.count; i++) {
		uint64_t at = firmware_map.range[i].base, end = l1_range_end(&firmware_map, i);

		for (unsigned int n = 0; n < 2; n++) {
			if (!own[n]->size || own[n]->base < at || own[n]->base >= end)
				continue;
			l1_memory_add(at, own[n]->base - at);
			at = own[n]->base + own[n]->size;
		}
		l1_memory_add(at, end - at);
	}
	l1_code_tell(&firmware_map);
	l1_memory_ready();
}

struct memmap *plan_told(void)
{
	return &told_map;
}

const struct window_range *plan_window(unsigned int *count)
{
	*count = window_count;
	return window_ranges;
}

uint64_t plan_low_page(void)
{
	return memmap_find_high(&firmware_map, PAGE_SIZE, PAGE_SIZE, BIOS_DATA_END, SIZE_1M);
}
