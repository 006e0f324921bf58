/*
 * EFI's memory map for L1. Relies on boot/efi_map.h and hv/string.h.
 */
#include "boot/efi_map.h"
#include "hv/string.h"
#include "hv/x86.h"

enum { DESCRIPTOR_MOST = 4096 }; /* bytes; a power of two or not, later versions have more fields */

bool efi_map_valid(uint64_t bytes, uint64_t descriptor_bytes)
{
	return descriptor_bytes >= sizeof(struct efi_descriptor) &&
	       descriptor_bytes <= DESCRIPTOR_MOST && bytes % descriptor_bytes == 0;
}

/* Reads the descriptor at an offset. Returns false behind the last one. */
static bool read(const struct boot_efi *efi, uint32_t at, struct efi_descriptor *to)
{
	if (at >= efi->map_bytes)
		return false;
	memcpy(to, efi->map + at, sizeof(*to));
	return true;
}

/* A size that no memory has becomes one that reaches the end of all addresses. */
static uint64_t end_of(const struct efi_descriptor *descriptor)
{
	uint64_t room = (UINT64_MAX - descriptor->base) >> PAGE_SHIFT;

	return descriptor->base +
	       ((descriptor->pages < room ? descriptor->pages : room) << PAGE_SHIFT);
}

/* All descriptors of the types first and first + 1. */
static bool add_types(const struct boot_efi *efi, struct memmap *map, uint32_t first, uint32_t type)
{
	struct efi_descriptor d;

	for (uint32_t at = 0; read(efi, at, &d); at += efi->descriptor_bytes) {
		if (d.type != first && d.type != first + 1)
			continue;
		if (!memmap_add(map, d.base, end_of(&d) - d.base, type))
			return false;
	}
	return true;
}

bool efi_map_spare(const struct boot_efi *efi, struct memmap *map)
{
	return add_types(efi, map, EFI_MEMORY_BOOT_CODE, MEM_RESERVED);
}

bool efi_map_runtime(const struct boot_efi *efi, struct memmap *map)
{
	return add_types(efi, map, EFI_MEMORY_RUNTIME_CODE, MEM_RUNTIME);
}

uint64_t efi_map_out_size(const struct boot_efi *efi, uint32_t ranges)
{
	/* A range cuts one descriptor into three, or more of them into two. */
	return efi->map_bytes + 2ull * ranges * efi->descriptor_bytes;
}

/* Where the new map is written to. */
struct output {
	const struct boot_efi *efi;
	const uint8_t *from; /* what the pieces have behind the known fields */
	uint8_t *to;         /* NULL: they are only counted */
	uint32_t bytes;
};

static void put(struct output *output, struct efi_descriptor piece, uint64_t base, uint64_t end,
                uint32_t type)
{
	uint32_t at = output->bytes;
	uint8_t *to;

	if (base >= end)
		return;
	output->bytes += output->efi->descriptor_bytes;
	if (!output->to)
		return;
	to = output->to + at;
	piece.type = type;
	piece.base = base;
	piece.pages = (end - base) >> PAGE_SHIFT;
	memcpy(to, output->from, output->efi->descriptor_bytes);
	memcpy(to, &piece, sizeof(piece));
}

static bool is_free(uint32_t type)
{
	return type == EFI_MEMORY_FREE ||
	       (type >= EFI_MEMORY_LOADER_CODE && type <= EFI_MEMORY_BOOT_DATA);
}

/* The end of the page that ends here or later; the last page of all has none. */
static uint64_t page_end(uint64_t end)
{
	const uint64_t mask = PAGE_SIZE - 1;

	return end > UINT64_MAX - mask ? UINT64_MAX : (end + mask) & ~mask;
}

/* Pieces of one descriptor: free where L1 is told so, reserved elsewhere. */
static void cut(struct output *output, const struct efi_descriptor *d, const struct memmap *told)
{
	uint64_t base = d->base, end = end_of(d);

	for (uint32_t i = 0; i < told->count && base < end; i++) {
		const struct mem_range *range = &told->range[i];
		uint64_t low = range->base & ~(uint64_t)(PAGE_SIZE - 1);
		uint64_t high = page_end(range->base + range->size);

		if (range->type == MEM_USABLE || high <= base || low >= end)
			continue;
		low = low > base ? low : base;
		high = high < end ? high : end;
		put(output, *d, base, low, d->type);
		put(output, *d, low, high, EFI_MEMORY_RESERVED);
		base = high;
	}
	put(output, *d, base, end, d->type);
}

/* Bytes of the pieces of one descriptor that are more than its own. */
static uint32_t growth(const struct boot_efi *efi, const struct efi_descriptor *d,
                       const struct memmap *told)
{
	struct output counted = {.efi = efi};

	cut(&counted, d, told);
	return counted.bytes ? counted.bytes - efi->descriptor_bytes : 0;
}

uint32_t efi_map_out(const struct boot_efi *efi, const struct memmap *told, uint8_t *to)
{
	struct output output = {.efi = efi, .to = to};
	uint64_t spare = efi_map_out_size(efi, told->count) - efi->map_bytes;
	struct efi_descriptor d;

	for (uint32_t at = 0; read(efi, at, &d); at += efi->descriptor_bytes) {
		output.from = efi->map + at;
		if (is_free(d.type)) {
			uint32_t more = growth(efi, &d, told);

			/* Only descriptors that overlap are cut by one range again and again. */
			if (more > spare) {
				put(&output, d, d.base, end_of(&d), EFI_MEMORY_RESERVED);
				continue;
			}
			spare -= more;
			cut(&output, &d, told);
			continue;
		}
		memcpy(to + output.bytes, output.from, efi->descriptor_bytes);
		output.bytes += efi->descriptor_bytes;
	}
	return output.bytes;
}
