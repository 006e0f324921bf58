/*
 * Executables: ELF32, ELF64 and multiboot's address fields, all as segments. The file is hostile:
 * what it says is checked here once. Relies on boot/load_image.h, hv/phys.h and hv/string.h.
 */
#include "boot/load_image.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

/* ELF; System V ABI, chapters 4 and 5. */
enum {
	EI_CLASS = 4,
	EI_DATA = 5,
	EI_NIDENT = 16,
	ELFCLASS32 = 1,
	ELFCLASS64 = 2,
	ELFDATA2LSB = 1,
	EM_386 = 3,
	EM_X86_64 = 62,
	PT_LOAD = 1,
	PN_XNUM = 0xffff, /* the number is elsewhere: never so in an executable */
};

struct elf32_header {
	uint8_t ident[EI_NIDENT];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf32_header) == 52, "ELF32");

struct elf64_header {
	uint8_t ident[EI_NIDENT];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "ELF64");

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf32_segment) == 32, "ELF32");

struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_segment) == 56, "ELF64");

static enum load_error truncated(struct loader *loader, const char *what)
{
	return load_fail(loader, LOAD_TRUNCATED,
	                 "L1's file is truncated: it has %llu bytes and its %s end later: copy or "
	                 "build it again",
	                 (unsigned long long)loader->file_size, what);
}

static enum load_error bad(struct loader *loader, const char *what)
{
	return load_fail(loader, LOAD_FORMAT, "L1's file is broken: %s: build it again", what);
}

bool image_is_elf(const struct loader *loader)
{
	return loader->file_size >= EI_NIDENT && !memcmp(loader->file, "\177ELF", 4);
}

enum load_error image_open_elf(struct loader *loader, struct image *image)
{
	struct elf32_header h32;
	struct elf64_header h64;
	uint32_t least;
	uint16_t machine;

	memset(image, 0, sizeof(*image));
	if (!image_is_elf(loader))
		return bad(loader, "a multiboot header without address fields in what is no ELF");
	image->wide = loader->file[EI_CLASS] == ELFCLASS64;
	if ((!image->wide && loader->file[EI_CLASS] != ELFCLASS32) ||
	    loader->file[EI_DATA] != ELFDATA2LSB)
		return bad(loader, "an ELF of an unknown class or byte order");
	if (loader->file_size < (image->wide ? sizeof(h64) : sizeof(h32)))
		return truncated(loader, "ELF header");
	if (image->wide) {
		memcpy(&h64, loader->file, sizeof(h64));
		machine = h64.machine;
		image->count = h64.phnum;
		image->table = h64.phoff;
		image->entry_size = h64.phentsize;
		image->entry = h64.entry;
		least = sizeof(struct elf64_segment);
	} else {
		memcpy(&h32, loader->file, sizeof(h32));
		machine = h32.machine;
		image->count = h32.phnum;
		image->table = h32.phoff;
		image->entry_size = h32.phentsize;
		image->entry = h32.entry;
		least = sizeof(struct elf32_segment);
	}
	if (machine != EM_386 && machine != EM_X86_64)
		return bad(loader, "an ELF for another processor than x86");
	if (PHYS_BITS_MOST < 64 && (image->wide || machine != EM_386))
		return load_fail_64bit(loader);
	if (!image->count || image->count == PN_XNUM || !image->table || image->entry_size < least)
		return bad(loader, "an ELF without program headers");
	if (image->table > loader->file_size ||
	    (uint64_t)image->count * image->entry_size > loader->file_size - image->table)
		return truncated(loader, "program headers");
	return LOAD_OK;
}

enum load_error image_open_flat(struct loader *loader, struct image *image, uint64_t header_offset,
                                const uint32_t addresses[4], uint32_t entry)
{
	uint64_t header_addr = addresses[0], load = addresses[1];
	uint64_t load_end = addresses[2], bss_end = addresses[3];
	struct segment *flat = &image->flat;

	memset(image, 0, sizeof(*image));
	if (header_addr < load || header_addr - load > header_offset)
		return bad(loader, "its multiboot header's addresses name bytes before the file");
	flat->offset = header_offset - (header_addr - load);
	flat->base = flat->virtual = load;
	if (load_end && load_end < load)
		return bad(loader, "its multiboot header's load_end_addr is below load_addr");
	flat->file_size = load_end ? load_end - load : loader->file_size - flat->offset;
	flat->memory = flat->file_size;
	if (bss_end) {
		if (bss_end < load + flat->file_size)
			return bad(loader, "its multiboot header's bss_end_addr is in the data");
		flat->memory = bss_end - load;
	}
	image->count = 1;
	image->entry = entry;
	return LOAD_OK;
}

/* Reads segment i. Returns false when there is nothing to load in it. */
static bool read_segment(const struct loader *loader, const struct image *image, uint32_t i,
                         struct segment *segment)
{
	const uint8_t *at = loader->file + image->table + (uint64_t)i * image->entry_size;
	struct elf32_segment s32;
	struct elf64_segment s64;

	if (!image->table) {
		*segment = image->flat;
		return segment->memory != 0;
	}
	if (image->wide) {
		memcpy(&s64, at, sizeof(s64));
		*segment =
			(struct segment){s64.offset, s64.filesz, s64.vaddr, s64.paddr, s64.memsz};
		return s64.type == PT_LOAD && (s64.memsz || s64.filesz);
	}
	memcpy(&s32, at, sizeof(s32));
	*segment = (struct segment){s32.offset, s32.filesz, s32.vaddr, s32.paddr, s32.memsz};
	return s32.type == PT_LOAD && (s32.memsz || s32.filesz);
}

static enum load_error check_segment(struct loader *loader, struct image *image,
                                     const struct segment *segment)
{
	if (segment->offset > loader->file_size ||
	    segment->file_size > loader->file_size - segment->offset)
		return truncated(loader, "segments");
	if (segment->file_size > segment->memory)
		return bad(loader, "a segment is larger in the file than in memory");
	if (segment->base > SIZE_4G || segment->memory > SIZE_4G - segment->base)
		return load_fail(loader, LOAD_OCCUPIED,
		                 "L1's file has a segment of 0x%llx bytes at 0x%llx, beyond 4 GiB: "
		                 "link it lower",
		                 (unsigned long long)segment->memory,
		                 (unsigned long long)segment->base);
	if (segment->base < image->low)
		image->low = segment->base;
	if (segment->base + segment->memory > image->high)
		image->high = segment->base + segment->memory;
	return LOAD_OK;
}

/*
 * Where the entry is in memory: ELF says a virtual address, and many images for 32-bit loaders a
 * physical one. Returns false when it is in none of the segments.
 */
static bool find_entry(const struct loader *loader, struct image *image, bool physical)
{
	struct segment segment;

	for (uint32_t i = 0; !physical && i < image->count; i++) {
		if (!read_segment(loader, image, i, &segment) || image->entry < segment.virtual ||
		    image->entry - segment.virtual >= segment.memory)
			continue;
		image->entry = image->entry - segment.virtual + segment.base;
		return true;
	}
	for (uint32_t i = 0; i < image->count; i++)
		if (read_segment(loader, image, i, &segment) && image->entry >= segment.base &&
		    image->entry - segment.base < segment.memory)
			return true;
	return false;
}

enum load_error image_check(struct loader *loader, struct image *image, const uint32_t *entry)
{
	struct segment segment;
	enum load_error error;

	image->low = UINT64_MAX;
	image->high = 0;
	for (uint32_t i = 0; i < image->count; i++) {
		if (!read_segment(loader, image, i, &segment))
			continue;
		error = check_segment(loader, image, &segment);
		if (error)
			return error;
	}
	if (!image->high)
		return bad(loader, "it has nothing to load");
	if (entry)
		image->entry = *entry;
	if (!find_entry(loader, image, entry != NULL))
		return load_fail(
			loader, LOAD_FORMAT,
			"L1's file is broken: its entry 0x%llx is in none of its segments: "
			"build it again",
			(unsigned long long)image->entry);
	return LOAD_OK;
}

enum load_error image_take(struct loader *loader, const struct image *image)
{
	struct segment segment;
	enum load_error error;

	/* Two passes: segments may overlap each other, as linkers round them. */
	for (uint32_t i = 0; i < image->count; i++) {
		if (!read_segment(loader, image, i, &segment))
			continue;
		error = load_check_free(loader, segment.base + image->shift, segment.memory, "L1");
		if (error)
			return error;
	}
	for (uint32_t i = 0; i < image->count; i++) {
		if (!read_segment(loader, image, i, &segment))
			continue;
		error = load_take(loader, segment.base + image->shift, segment.memory);
		if (error)
			return error;
	}
	return LOAD_OK;
}

void image_copy(struct loader *loader, const struct image *image)
{
	struct segment segment;

	for (uint32_t i = 0; i < image->count; i++) {
		uint8_t *to;

		if (!read_segment(loader, image, i, &segment))
			continue;
		to = phys(segment.base + image->shift);
		memcpy(to, loader->file + segment.offset, segment.file_size);
		memset(to + segment.file_size, 0, segment.memory - segment.file_size);
	}
}
