/*
 * libFuzzer's way into the information of boot loaders: the first byte says which protocol, the
 * rest lies where EBX points. What lies behind Multiboot2's information is poisoned, unless the
 * input names it by a pointer. Relies on tests/unit/arena.h.
 */
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "boot/multiboot.h"
#include "tests/fuzz/boot_fuzz.h"
#include "tests/unit/arena.h"

enum { INFO = 0x10000, ROOM = 0x10000 };

static void poison_end(size_t size)
{
	uint32_t total = get32(INFO);

	for (size_t i = 0; i + sizeof(total) <= size; i += sizeof(total)) {
		uint32_t value = get32(INFO + (uint32_t)i);

		if (value >= INFO - 0x1000 && value < INFO + ROOM)
			return;
	}
	if (total >= sizeof(struct multiboot2_info) && total < ROOM)
		ASAN_POISON_MEMORY_REGION(at(INFO + total), ROOM - total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info boot;
	static struct memmap map;
	uint32_t magic;
	const char *error;

	if (!size || size - 1 > ROOM)
		return -1;
	magic = data[0] & 1 ? MULTIBOOT2_BOOT_MAGIC : MULTIBOOT1_BOOT_MAGIC;
	flat_once();
	memset(at(INFO), 0, ROOM);
	memcpy(at(INFO), data + 1, size - 1);
	if (data[0] & 1)
		poison_end(size - 1);
	error = boot_info_from_multiboot(magic, INFO, &boot);
	ASAN_UNPOISON_MEMORY_REGION(at(INFO), ROOM);
	if (error) {
		check(strlen(error) > 20 && !strchr(error, '\n'));
		return 0;
	}
	check(boot.range_count && boot.range_count <= BOOT_MAX_RANGES);
	check(boot.module_count <= BOOT_MAX_MODULES);
	check(memchr(boot.cmdline, 0, sizeof(boot.cmdline)));
	for (uint32_t i = 0; i < boot.module_count; i++) {
		const struct boot_module *module = &boot.modules[i];

		check(module->line < boot.text_used && boot.text_used <= sizeof(boot.text));
		check(memchr(boot.text + module->line, 0, BOOT_CMDLINE_SIZE));
		check(module->base + module->size < 1ull << 32);
	}
	map.count = 0;
	for (uint32_t i = 0; i < boot.range_count; i++) {
		const struct mem_range *range = &boot.ranges[i];

		check(range->type != MEM_HOTPLUG);
		memmap_add(&map, range->base, range->size, range->type);
	}
	check_map(&map);
	return 0;
}
