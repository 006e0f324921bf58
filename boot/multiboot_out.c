/*
 * The multiboot information that L1 gets, of either protocol. Relies on boot/loader.h.
 */
#include "boot/acpi.h"
#include "boot/efi_map.h"
#include "boot/multiboot.h"
#include "boot/multiboot_out.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

#define UPPER_MEMORY     0x100000ull
#define LOWER_LIMIT      0xa0000ull
#define BDA_EBDA_SEGMENT 0x40eull
#define EBDA_SIZE        1024u
#define EBDA_RSDP        16u /* offset; the first byte of an EBDA is its size in KiB */

static const char loader_name[] = "Nestling";

enum {
	TAG_SLACK = 32,    /* the larger of both protocols' fixed part of a module, and alignment */
	FIXED_PARTS = 512, /* all the rest that has one size */
	MAP_GROWTH = 2,    /* ranges that reserving the information itself can add */
};

uint64_t multiboot1_out_size(const struct loader *loader)
{
	uint64_t size = EBDA_SIZE + FIXED_PARTS;

	for (uint32_t i = 0; i < loader->boot->module_count; i++)
		size += strlen(load_line(loader, i)) + 1 + TAG_SLACK;
	return size + (loader->map->count + MAP_GROWTH) * sizeof(struct multiboot2_mmap_entry);
}

uint64_t multiboot2_out_size(const struct loader *loader)
{
	return multiboot1_out_size(loader) + loader->boot->kept_bytes +
	       efi_map_out_size(&loader->boot->efi, loader->map->count + MAP_GROWTH);
}

/* KiB from 0 on; firmware that keeps page 0 for itself is not held against it. */
static uint32_t mem_lower(const struct loader *loader)
{
	uint64_t end = memmap_usable_end(loader->map, 0);

	if (!end)
		end = memmap_usable_end(loader->map, PAGE_SIZE);
	if (end == PAGE_SIZE)
		return 0;
	return (uint32_t)((end < LOWER_LIMIT ? end : LOWER_LIMIT) >> 10);
}

/* KiB from 1 MiB on, to the first hole. */
static uint32_t mem_upper(const struct loader *loader)
{
	uint64_t end = memmap_usable_end(loader->map, UPPER_MEMORY);

	if (end - UPPER_MEMORY > SIZE_4G)
		return (uint32_t)(SIZE_4G >> 10);
	return (uint32_t)((end - UPPER_MEMORY) >> 10);
}

/* See load.h for what this does and why. */
static void show_rsdp(struct loader *loader)
{
	struct acpi_rsdp rsdp;
	size_t size = acpi_read_rsdp(loader->boot->rsdp, &rsdp);
	uint16_t segment;
	uint32_t ebda;

	if (!size || acpi_rsdp_is_scanned(loader->boot->rsdp) ||
	    !memmap_covers(loader->map, BDA_EBDA_SEGMENT, sizeof(segment), MEM_USABLE) ||
	    !memmap_covers(loader->free_map, BDA_EBDA_SEGMENT, sizeof(segment), MEM_USABLE))
		return;
	ebda = load_info(loader, EBDA_SIZE, EBDA_SIZE);
	*(uint8_t *)phys(ebda) = EBDA_SIZE / 1024;
	memcpy(phys(ebda + EBDA_RSDP), &rsdp, size);
	segment = (uint16_t)(ebda >> 4);
	memcpy(phys(BDA_EBDA_SEGMENT), &segment, sizeof(segment));
}

static uint32_t module_end(const struct loader *loader, uint32_t i)
{
	return loader->module_base[i] + (uint32_t)loader->boot->modules[i].size;
}

/* Nothing where no screen is known, as from a loader that knows none. */
static void show_screen1(const struct boot_info *boot, struct multiboot1_info *info)
{
	const struct framebuffer *screen = &boot->screen;

	if (boot->screen_kind == SCREEN_UNKNOWN)
		return;
	info->flags |= MULTIBOOT1_INFO_FRAMEBUFFER;
	info->framebuffer_addr = screen->base;
	info->framebuffer_pitch = screen->pitch;
	info->framebuffer_width = screen->width;
	info->framebuffer_height = screen->height;
	info->framebuffer_bpp = screen->bits;
	info->framebuffer_type = MULTIBOOT_FRAMEBUFFER_TEXT;
	if (boot->screen_kind == SCREEN_TEXT)
		return;
	info->framebuffer_type = MULTIBOOT_FRAMEBUFFER_RGB;
	info->red = screen->red;
	info->green = screen->green;
	info->blue = screen->blue;
}

uint32_t multiboot1_out(struct loader *loader)
{
	struct multiboot1_info *info;
	struct multiboot1_module *modules;
	struct multiboot1_mmap *mmap;
	uint32_t at;

	show_rsdp(loader); /* first: the EBDA has to begin on a KiB */
	at = load_info(loader, sizeof(*info), sizeof(uint64_t));
	info = phys(at);
	info->flags = MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MODULES |
	              MULTIBOOT1_INFO_MMAP | MULTIBOOT1_INFO_LOADER_NAME;
	show_screen1(loader->boot, info);
	info->mem_lower = mem_lower(loader);
	info->mem_upper = mem_upper(loader);
	info->mods_count = loader->boot->module_count - 1;
	info->mods_addr = load_info(loader, info->mods_count * sizeof(*modules), sizeof(uint64_t));
	info->mmap_length = loader->map->count * (uint32_t)sizeof(*mmap);
	info->mmap_addr = load_info(loader, info->mmap_length, sizeof(uint64_t));
	info->cmdline = load_info_string(loader, load_line(loader, 0));
	info->boot_loader_name = load_info_string(loader, loader_name);

	modules = phys(info->mods_addr);
	for (uint32_t i = 1; i < loader->boot->module_count; i++) {
		modules[i - 1] = (struct multiboot1_module){
			.mod_start = loader->module_base[i],
			.mod_end = module_end(loader, i),
			.string = load_info_string(loader, load_line(loader, i)),
		};
	}
	mmap = phys(info->mmap_addr);
	for (uint32_t i = 0; i < loader->map->count; i++) {
		const struct mem_range *range = &loader->map->range[i];

		mmap[i] = (struct multiboot1_mmap){
			.size = sizeof(*mmap) - sizeof(mmap->size),
			.addr = range->base,
			.len = range->size,
			.type = range->type,
		};
	}
	return at;
}

/* Room for a tag with its head set; the next one begins aligned. */
static void *put_tag(struct loader *loader, uint32_t type, uint64_t size)
{
	struct multiboot2_tag *tag = phys(load_info(loader, size, MULTIBOOT2_ALIGN));

	tag->type = type;
	tag->size = (uint32_t)size;
	return tag;
}

static void put_bytes(struct loader *loader, uint32_t type, const void *bytes, size_t size)
{
	struct multiboot2_tag *tag = put_tag(loader, type, sizeof(*tag) + size);

	memcpy(tag + 1, bytes, size);
}

static void put_mmap(struct loader *loader)
{
	struct multiboot2_mmap *mmap;
	struct multiboot2_mmap_entry *entries;

	mmap = put_tag(loader, MULTIBOOT2_TAG_MMAP,
	               sizeof(*mmap) + loader->map->count * sizeof(*entries));
	mmap->entry_size = sizeof(*entries);
	entries = (struct multiboot2_mmap_entry *)(mmap + 1);
	for (uint32_t i = 0; i < loader->map->count; i++) {
		const struct mem_range *range = &loader->map->range[i];

		entries[i] = (struct multiboot2_mmap_entry){
			.base_addr = range->base,
			.length = range->size,
			.type = range->type,
		};
	}
}

static void put_modules(struct loader *loader)
{
	for (uint32_t i = 1; i < loader->boot->module_count; i++) {
		const char *line = load_line(loader, i);
		size_t length = strlen(line) + 1;
		struct multiboot2_module *module =
			put_tag(loader, MULTIBOOT2_TAG_MODULE, sizeof(*module) + length);

		module->mod_start = loader->module_base[i];
		module->mod_end = module_end(loader, i);
		memcpy(module + 1, line, length);
	}
}

/* Both, where there is a new one, as GRUB does. */
static void put_rsdp(struct loader *loader)
{
	struct acpi_rsdp rsdp;
	size_t size = acpi_read_rsdp(loader->boot->rsdp, &rsdp);

	if (size)
		put_bytes(loader, MULTIBOOT2_TAG_ACPI_OLD, &rsdp, ACPI_RSDP1_SIZE);
	if (size == sizeof(rsdp))
		put_bytes(loader, MULTIBOOT2_TAG_ACPI_NEW, &rsdp, sizeof(rsdp));
}

static void put_screen(struct loader *loader)
{
	const struct framebuffer *screen = &loader->boot->screen;
	bool text = loader->boot->screen_kind == SCREEN_TEXT;
	struct multiboot2_framebuffer *tag;

	if (loader->boot->screen_kind == SCREEN_UNKNOWN)
		return;
	tag = put_tag(loader, MULTIBOOT2_TAG_FRAMEBUFFER,
	              text ? MULTIBOOT2_FRAMEBUFFER_TEXT_SIZE : MULTIBOOT2_FRAMEBUFFER_RGB_SIZE);
	tag->addr = screen->base;
	tag->pitch = screen->pitch;
	tag->width = screen->width;
	tag->height = screen->height;
	tag->bpp = screen->bits;
	tag->type = text ? MULTIBOOT_FRAMEBUFFER_TEXT : MULTIBOOT_FRAMEBUFFER_RGB;
	if (text)
		return;
	tag->red = screen->red;
	tag->green = screen->green;
	tag->blue = screen->blue;
}

/* The system table, and the map without which its runtime services are of no use. */
static void put_efi(struct loader *loader)
{
	const struct boot_efi *efi = &loader->boot->efi;
	uint32_t low = (uint32_t)efi->system_table;
	struct multiboot2_efi_mmap *mmap;

	if (!efi->system_table)
		return;
	if (efi->wide)
		put_bytes(loader, MULTIBOOT2_TAG_EFI64, &efi->system_table,
		          sizeof(efi->system_table));
	else
		put_bytes(loader, MULTIBOOT2_TAG_EFI32, &low, sizeof(low));
	if (!efi->map_bytes)
		return;
	mmap = put_tag(loader, MULTIBOOT2_TAG_EFI_MMAP, sizeof(*mmap));
	mmap->descriptor_size = efi->descriptor_bytes;
	mmap->descriptor_version = efi->descriptor_version;
	mmap->tag.size += efi_map_out(efi, loader->map, (uint8_t *)(mmap + 1));
	load_info(loader, mmap->tag.size - sizeof(*mmap), 1);
}

static void put_kept(struct loader *loader)
{
	memcpy(phys(load_info(loader, loader->boot->kept_bytes, MULTIBOOT2_ALIGN)),
	       loader->boot->kept, loader->boot->kept_bytes);
}

uint32_t multiboot2_out(struct loader *loader, const uint32_t *load_base)
{
	const char *cmdline = load_arguments(load_line(loader, 0));
	struct multiboot2_info *info;
	struct multiboot2_meminfo *meminfo;
	uint32_t at = load_info(loader, sizeof(*info), MULTIBOOT2_ALIGN);

	put_bytes(loader, MULTIBOOT2_TAG_CMDLINE, cmdline, strlen(cmdline) + 1);
	put_bytes(loader, MULTIBOOT2_TAG_LOADER_NAME, loader_name, sizeof(loader_name));
	put_modules(loader);
	meminfo = put_tag(loader, MULTIBOOT2_TAG_MEMINFO, sizeof(*meminfo));
	meminfo->mem_lower = mem_lower(loader);
	meminfo->mem_upper = mem_upper(loader);
	put_mmap(loader);
	put_rsdp(loader);
	put_screen(loader);
	put_efi(loader);
	put_kept(loader);
	if (load_base)
		put_bytes(loader, MULTIBOOT2_TAG_LOAD_BASE, load_base, sizeof(*load_base));
	put_tag(loader, MULTIBOOT2_TAG_END, sizeof(struct multiboot2_tag));
	info = phys(at);
	info->total_size = (uint32_t)(loader->info_base + loader->info_used - at);
	return at;
}
