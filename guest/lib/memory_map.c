/*
 * The loader's memory map. Relies on the multiboot 1 information structure (section 3.3).
 */
#include "guest/lib/memory_map.h"

#include <stddef.h>

enum {
	MULTIBOOT_LOADED = 0x2badb002,
	MULTIBOOT_HAS_MAP = 1 << 6,
	TYPE_USABLE = 1,
	MAX_RANGES = 64,
};

struct multiboot_map_info {
	uint32_t flags, other[10], map_length, map_address;
};
_Static_assert(offsetof(struct multiboot_map_info, map_length) == 44, "multiboot 1");

/* size does not count itself. */
struct multiboot_map_entry {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

static struct memory_range ranges[MAX_RANGES];
static unsigned int count;

void memory_map_init(uint32_t magic, uint32_t information)
{
	const struct multiboot_map_info *info = (const void *)(uintptr_t)information;
	uint32_t at, end;

	if (magic != MULTIBOOT_LOADED || !(info->flags & MULTIBOOT_HAS_MAP))
		return;
	at = info->map_address;
	end = at + info->map_length;
	while (at < end && count < MAX_RANGES) {
		const struct multiboot_map_entry *entry = (const void *)(uintptr_t)at;

		ranges[count].start = entry->base;
		ranges[count].end = entry->base + entry->length;
		ranges[count++].usable = entry->type == TYPE_USABLE;
		at += entry->size + (uint32_t)sizeof(entry->size);
	}
}

const struct memory_range *memory_range(unsigned int n)
{
	return n < count ? &ranges[n] : NULL;
}

bool memory_usable(uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < count; i++) {
		if (ranges[i].usable && start >= ranges[i].start && end <= ranges[i].end)
			return true;
	}
	return false;
}
