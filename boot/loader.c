/*
 * What all formats need to load L1: memory for information structures and modules, and messages.
 * Used by one processor, while booting. Relies on boot/memmap.h.
 */
#include "boot/loader.h"
#include "hv/phys.h"
#include "hv/print.h"
#include "hv/string.h"
#include "hv/x86.h"

#define INFO_FLOOR  0x10000ull
#define INFO_LIMIT  0xa0000ull
#define UPPER_FLOOR 0x100000ull
#define KIB(bytes)  ((unsigned long long)(((bytes) + 1023) >> 10))

enum load_error load_fail(struct loader *loader, enum load_error error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprint(loader->result->message, sizeof(loader->result->message), format, args);
	va_end(args);
	return error;
}

enum load_error load_fail_64bit(struct loader *loader)
{
	return load_fail(
		loader, LOAD_FORMAT,
		"L1's file is a 64-bit program, and this Nestling is a 32-bit one, which shows "
		"no long mode: use the 64-bit Nestling, or an L1 of 32 bits");
}

enum load_error load_take(struct loader *loader, uint64_t base, uint64_t size)
{
	if (memmap_add(loader->free_map, base, size, MEM_RESERVED))
		return LOAD_OK;
	return load_fail(loader, LOAD_NO_MEMORY,
	                 "L1's segments and the memory map have more than %u pieces: link L1 into "
	                 "fewer segments",
	                 (unsigned int)BOOT_MAX_RANGES);
}

enum load_error load_check_free(struct loader *loader, uint64_t base, uint64_t size,
                                const char *what)
{
	if (base > SIZE_4G || size > SIZE_4G - base)
		return load_fail(loader, LOAD_OCCUPIED,
		                 "%s wants to be at 0x%llx with 0x%llx bytes, beyond 4 GiB: link "
		                 "it lower",
		                 what, (unsigned long long)base, (unsigned long long)size);
	if (memmap_covers(loader->free_map, base, size, MEM_USABLE))
		return LOAD_OK;
	return load_fail(loader, LOAD_OCCUPIED,
	                 "%s wants to be at 0x%llx-0x%llx, and memory is not free from 0x%llx on: "
	                 "link it elsewhere or add memory",
	                 what, (unsigned long long)base, (unsigned long long)(base + size),
	                 (unsigned long long)memmap_usable_end(loader->free_map, base));
}

enum load_error load_reserve_info(struct loader *loader, uint64_t size)
{
	enum load_error error;

	size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull);
	loader->info_base =
		memmap_find_high(loader->free_map, size, PAGE_SIZE, INFO_FLOOR, INFO_LIMIT);
	if (!loader->info_base)
		return load_fail(loader, LOAD_NO_MEMORY,
		                 "L1's information structures need %llu KiB in one piece between "
		                 "64 KiB and 640 KiB, where %llu KiB are free: link L1 elsewhere",
		                 KIB(size),
		                 KIB(memmap_largest(loader->free_map, INFO_FLOOR, INFO_LIMIT)));
	error = load_take(loader, loader->info_base, size);
	if (error)
		return error;
	if (!memmap_add(loader->map, loader->info_base, size, MEM_RESERVED))
		return load_fail(loader, LOAD_NO_MEMORY,
		                 "the firmware's memory map has more than %u ranges: there is no "
		                 "room in it for L1's information structures",
		                 (unsigned int)BOOT_MAX_RANGES);
	loader->info_size = size;
	loader->info_used = 0;
	memset(phys(loader->info_base), 0, size);
	return LOAD_OK;
}

uint32_t load_info(struct loader *loader, uint64_t size, uint64_t align)
{
	uint64_t at = (loader->info_base + loader->info_used + align - 1) & ~(align - 1);

	loader->info_used = at + size - loader->info_base;
	return (uint32_t)at;
}

uint32_t load_info_string(struct loader *loader, const char *text)
{
	size_t size = strlen(text) + 1;
	uint32_t at = load_info(loader, size, 1);

	memcpy(phys(at), text, size);
	return at;
}

/* Bytes of whole pages: an empty one has a place, too. */
static uint64_t module_pages(const struct boot_module *module)
{
	uint64_t size = module->size ? module->size : 1;

	return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull);
}

static enum load_error place_module(struct loader *loader, uint32_t i, uint64_t at)
{
	const struct boot_module *module = &loader->boot->modules[i];
	uint64_t size = module_pages(module);
	enum load_error error;

	if (!at)
		at = memmap_find_high(loader->free_map, size, PAGE_SIZE, UPPER_FLOOR, SIZE_4G);
	if (!at)
		return load_fail(
			loader, LOAD_NO_MEMORY,
			"L1's module %u needs %llu KiB in one piece below 4 GiB, where %llu KiB "
			"are "
			"free: add at least %llu KiB of memory",
			i, KIB(size), KIB(memmap_largest(loader->free_map, UPPER_FLOOR, SIZE_4G)),
			KIB(size - memmap_largest(loader->free_map, UPPER_FLOOR, SIZE_4G)));
	error = load_take(loader, at, size);
	if (error)
		return error;
	memcpy(phys(at), phys(module->base), module->size);
	loader->module_base[i] = (uint32_t)at;
	return LOAD_OK;
}

enum load_error load_modules(struct loader *loader, uint64_t after)
{
	uint64_t total = 0, at = (after + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull);
	bool behind;

	for (uint32_t i = 1; i < loader->boot->module_count; i++)
		total += module_pages(&loader->boot->modules[i]);
	behind = at < SIZE_4G && total <= SIZE_4G - at &&
	         memmap_covers(loader->free_map, at, total, MEM_USABLE);
	for (uint32_t i = 1; i < loader->boot->module_count; i++) {
		enum load_error error = place_module(loader, i, behind ? at : 0);

		if (error)
			return error;
		at += module_pages(&loader->boot->modules[i]);
	}
	return LOAD_OK;
}

const char *load_line(const struct loader *loader, uint32_t module)
{
	return loader->boot->text + loader->boot->modules[module].line;
}

const char *load_arguments(const char *line)
{
	while (*line == ' ' || *line == '\t')
		line++;
	while (*line && *line != ' ' && *line != '\t')
		line++;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}
