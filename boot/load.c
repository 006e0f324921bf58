/*
 * Finds out what L1's file is, and what all protocols need: memory for information structures and
 * modules, and messages. Used by one processor, while booting. Relies on boot/memmap.h.
 */
#include "boot/load.h"
#include "boot/loader.h"
#include "hv/phys.h"
#include "hv/print.h"
#include "hv/string.h"
#include "hv/x86.h"

#define INFO_FLOOR  0x10000ull
#define INFO_LIMIT  0xa0000ull
#define UPPER_FLOOR 0x100000ull
#define KIB(bytes)  ((unsigned long long)(((bytes) + 1023) >> 10))

static struct memmap free_map;

enum load_error load_fail(struct loader *loader, enum load_error error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprint(loader->result->message, sizeof(loader->result->message), format, args);
	va_end(args);
	return error;
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

static uint64_t module_pages(const struct boot_module *module)
{
	return ((module->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull)) + (module->size == 0);
}

static enum load_error place_module(struct loader *loader, size_t i, uint64_t at)
{
	const struct boot_module *module = &loader->modules[i];
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
			(unsigned int)i, KIB(size),
			KIB(memmap_largest(loader->free_map, UPPER_FLOOR, SIZE_4G)),
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

	for (size_t i = 1; i < loader->module_count; i++)
		total += module_pages(&loader->modules[i]);
	behind = at < SIZE_4G && total <= SIZE_4G - at &&
	         memmap_covers(loader->free_map, at, total, MEM_USABLE);
	for (size_t i = 1; i < loader->module_count; i++) {
		enum load_error error = place_module(loader, i, behind ? at : 0);

		if (error)
			return error;
		at += module_pages(&loader->modules[i]);
	}
	return LOAD_OK;
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

static enum load_error unknown_format(struct loader *loader)
{
	static const uint8_t gzip[] = {0x1f, 0x8b};

	if (loader->file_size >= sizeof(gzip) && !memcmp(loader->file, gzip, sizeof(gzip)))
		return load_fail(loader, LOAD_FORMAT,
		                 "L1's file is compressed by gzip: unpack it first");
	if (image_is_elf(loader))
		return load_fail(loader, LOAD_FORMAT,
		                 "L1's file is an ELF without a multiboot header in its first "
		                 "8 KiB (multiboot2: 32 KiB): link one in");
	return load_fail(loader, LOAD_FORMAT,
	                 "L1's file has no known format: use a multiboot ELF or a Linux bzImage");
}

enum load_error load_l1(struct memmap *map, const struct mem_range *staged,
                        const struct boot_module *modules, size_t module_count, uint64_t rsdp,
                        struct load_result *result)
{
	struct loader loader = {
		.map = map,
		.free_map = &free_map,
		.modules = modules,
		.module_count = module_count,
		.rsdp = rsdp,
		.result = result,
	};
	struct found_header header;
	enum load_error error;

	memset(result, 0, sizeof(*result));
	if (!module_count)
		return load_fail(&loader, LOAD_MISSING,
		                 "there is no L1 to run: name it in a module line (GRUB: module2, "
		                 "QEMU: -initrd) or by l1= for the EFI program");
	if (module_count > BOOT_MAX_MODULES)
		return load_fail(&loader, LOAD_FORMAT,
		                 "L1 has more than %u modules: leave some out",
		                 (unsigned int)BOOT_MAX_MODULES - 1);
	if (!modules[0].size)
		return load_fail(&loader, LOAD_TRUNCATED, "L1's file is empty: build it again");
	loader.file = phys(modules[0].base);
	loader.file_size = modules[0].size;
	free_map = *map;
	error = load_take(&loader, staged->base, staged->size);
	if (error)
		return error;

	header = multiboot1_find(&loader);
	if (header.found)
		return multiboot1_load(&loader, header.offset);
	header = multiboot2_find(&loader);
	if (header.found)
		return multiboot2_load(&loader, header.offset);
	if (linux_is_kernel(&loader))
		return linux_load(&loader);
	return unknown_format(&loader);
}
