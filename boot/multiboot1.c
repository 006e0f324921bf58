/*
 * The information of Multiboot 1. The loader is believed, but for sizes and counts. Relies on
 * boot/multiboot_read.h and hv/phys.h.
 */
#include "boot/firmware_memory.h"
#include "boot/multiboot_read.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

enum { LOADER_NAME_SIZE = 16 }; /* as much as tells loaders apart */

static const char *read_mmap1(const struct multiboot1_info *info, struct boot_info *boot)
{
	const uint64_t payload = sizeof(struct multiboot1_mmap) - sizeof(uint32_t);
	uint64_t at = info->mmap_addr, left = info->mmap_length;
	struct multiboot1_mmap entry;
	const char *error;

	if (left > MULTIBOOT_INFO_MAX || !is_low(at, left))
		return multiboot_damaged;
	while (left) {
		if (left < sizeof(entry))
			return multiboot_damaged;
		memcpy(&entry, phys(at), sizeof(entry));
		if (entry.size < payload || entry.size > left - sizeof(entry.size))
			return multiboot_damaged;
		error = multiboot_add_range(boot, entry.addr, entry.len, entry.type);
		if (error)
			return error;
		at += entry.size + sizeof(entry.size);
		left -= entry.size + sizeof(entry.size);
	}
	return NULL;
}

static const char *read_modules1(const struct multiboot1_info *info, struct boot_info *boot)
{
	if (info->mods_count > BOOT_MAX_MODULES)
		return multiboot_many_modules;
	if (!is_low(info->mods_addr, info->mods_count * sizeof(struct multiboot1_module)))
		return multiboot_damaged;
	for (uint32_t i = 0; i < info->mods_count; i++) {
		struct multiboot1_module from;
		const char *error;

		memcpy(&from, phys(info->mods_addr + (uint64_t)i * sizeof(from)), sizeof(from));
		error = multiboot_add_module(boot, from.mod_start, from.mod_end, from.string,
		                             SIZE_4G - from.string);
		if (error)
			return error;
	}
	return NULL;
}

const char *multiboot1_read(uint64_t info_hpa, struct boot_info *boot)
{
	struct multiboot1_info info;
	const char *error = NULL;
	char loader[LOADER_NAME_SIZE] = "";

	if (!is_low(info_hpa, sizeof(info)))
		return multiboot_damaged;
	memcpy(&info, phys(info_hpa), sizeof(info));
	if (info.flags & MULTIBOOT1_INFO_MMAP)
		error = read_mmap1(&info, boot);
	else if (info.flags & MULTIBOOT1_INFO_MEMORY)
		error = multiboot_add_meminfo(boot, info.mem_lower, info.mem_upper);
	if (!error && info.flags & MULTIBOOT1_INFO_CMDLINE)
		error = multiboot_copy_text(boot->cmdline, info.cmdline, SIZE_4G - info.cmdline);
	if (!error && info.flags & MULTIBOOT1_INFO_MODULES)
		error = read_modules1(&info, boot);
	if (error)
		return error;
	if (info.flags & MULTIBOOT1_INFO_LOADER_NAME &&
	    is_low(info.boot_loader_name, sizeof(loader) - 1))
		memcpy(loader, phys(info.boot_loader_name), sizeof(loader) - 1);
	boot->source = BOOT_MULTIBOOT1;
	return multiboot_normalise(boot, multiboot_habit_of(loader));
}
