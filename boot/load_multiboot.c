/*
 * Loads L1 by its multiboot header, of either protocol. Relies on boot/load_image.h and
 * boot/multiboot_out.h.
 */
#include "boot/load_format.h"
#include "boot/load_image.h"
#include "boot/multiboot.h"
#include "boot/multiboot_out.h"
#include "hv/string.h"
#include "hv/x86.h"

/* QEMU's selectors; the protocols only ask for flat segments and promise no table. */
enum { FLAT_CODE = 0x08, FLAT_DATA = 0x10 };

static enum load_error bad_header(struct loader *loader, const char *what)
{
	return load_fail(loader, LOAD_FORMAT, "L1's multiboot header %s", what);
}

static bool probe1(const struct loader *loader, uint64_t *offset)
{
	uint64_t end =
		loader->file_size < MULTIBOOT1_SEARCH ? loader->file_size : MULTIBOOT1_SEARCH;

	for (uint64_t at = 0; at + MULTIBOOT1_HEADER_SHORT <= end; at += MULTIBOOT1_HEADER_ALIGN) {
		struct multiboot1_header header;

		memcpy(&header, loader->file + at, MULTIBOOT1_HEADER_SHORT);
		if (header.magic == MULTIBOOT1_HEADER_MAGIC &&
		    !(uint32_t)(header.magic + header.flags + header.checksum)) {
			*offset = at;
			return true;
		}
	}
	return false;
}

static bool probe2(const struct loader *loader, uint64_t *offset)
{
	uint64_t end =
		loader->file_size < MULTIBOOT2_SEARCH ? loader->file_size : MULTIBOOT2_SEARCH;

	for (uint64_t at = 0; at + sizeof(struct multiboot2_header) <= end;
	     at += MULTIBOOT2_ALIGN) {
		struct multiboot2_header header;

		memcpy(&header, loader->file + at, sizeof(header));
		if (header.magic == MULTIBOOT2_HEADER_MAGIC &&
		    !(uint32_t)(header.magic + header.architecture + header.header_length +
		                header.checksum)) {
			*offset = at;
			return true;
		}
	}
	return false;
}

/* What is the same for both once the image has its place; the information comes last. */
static enum load_error place(struct loader *loader, const struct image *image, uint64_t out_size)
{
	enum load_error error = image_take(loader, image);

	if (!error)
		error = load_reserve_info(loader, out_size);
	if (error)
		return error;
	image_copy(loader, image);
	return load_modules(loader, image->high + image->shift);
}

static void set_entry(struct loader *loader, const struct image *image, uint32_t magic,
                      uint32_t information)
{
	loader->result->entry = (struct l1_entry){
		.eip = (uint32_t)(image->entry + image->shift),
		.eax = magic,
		.ebx = information,
		.cs = FLAT_CODE,
		.ds = FLAT_DATA,
	};
}

static enum load_error load1(struct loader *loader, uint64_t header_offset)
{
	uint64_t size = sizeof(struct multiboot1_header);
	struct multiboot1_header header = {0};
	enum load_error error;
	struct image image;

	loader->result->protocol = "multiboot1";
	memcpy(&header, loader->file + header_offset, MULTIBOOT1_HEADER_SHORT);
	/* QEMU has no video mode to give, either, and starts such images all the same. */
	if (header.flags & MULTIBOOT1_REQUIRED &
	    ~(MULTIBOOT1_ALIGN_MODULES | MULTIBOOT1_WANT_MEMORY | MULTIBOOT1_WANT_VIDEO))
		return bad_header(loader, "requires what no loader knows (flags 15:3): clear them");
	if (header.flags & MULTIBOOT1_ADDRESSES) {
		uint32_t addresses[4];

		if (size > loader->file_size - header_offset)
			return load_fail(loader, LOAD_TRUNCATED,
			                 "L1's file is truncated: it ends in its multiboot header: "
			                 "copy or build it again");
		memcpy(&header, loader->file + header_offset, size);
		memcpy(addresses, &header.header_addr, sizeof(addresses));
		error = image_open_flat(loader, &image, header_offset, addresses,
		                        header.entry_addr);
	} else {
		error = image_open_elf(loader, &image);
	}
	if (!error)
		error = image_check(loader, &image, NULL);
	if (!error)
		error = place(loader, &image, multiboot1_out_size(loader));
	if (!error)
		set_entry(loader, &image, MULTIBOOT1_BOOT_MAGIC, multiboot1_out(loader));
	return error;
}

/* What the header's tags ask for. */
struct wishes {
	bool has_address, has_entry, has_relocatable;
	struct multiboot2_header_address address;
	struct multiboot2_header_entry entry;
	struct multiboot2_header_relocatable relocatable;
};

/* A request for a tag that no loader knows must be refused; one that we lack is no error. */
static enum load_error check_requests(struct loader *loader, const uint8_t *at, uint32_t size)
{
	for (uint32_t i = sizeof(struct multiboot2_header_tag); i + sizeof(uint32_t) <= size;
	     i += sizeof(uint32_t)) {
		uint32_t type;

		memcpy(&type, at + i, sizeof(type));
		if (type > MULTIBOOT2_TAG_LAST)
			return load_fail(
				loader, LOAD_FORMAT,
				"L1's multiboot header requires information of the unknown "
				"type %u: make the request optional",
				(unsigned int)type);
	}
	return LOAD_OK;
}

static enum load_error read_wish(struct loader *loader, const uint8_t *at,
                                 const struct multiboot2_header_tag *tag, struct wishes *wishes)
{
	void *to;
	uint32_t size;

	switch (tag->type) {
	case MULTIBOOT2_HEADER_REQUEST:
		if (tag->flags & MULTIBOOT2_OPTIONAL)
			return LOAD_OK;
		return check_requests(loader, at, tag->size);
	case MULTIBOOT2_HEADER_ADDRESS:
		to = &wishes->address;
		size = sizeof(wishes->address);
		wishes->has_address = true;
		break;
	case MULTIBOOT2_HEADER_ENTRY:
		to = &wishes->entry;
		size = sizeof(wishes->entry);
		wishes->has_entry = true;
		break;
	case MULTIBOOT2_HEADER_RELOCATABLE:
		to = &wishes->relocatable;
		size = sizeof(wishes->relocatable);
		wishes->has_relocatable = true;
		break;
	case MULTIBOOT2_HEADER_CONSOLE:
	case MULTIBOOT2_HEADER_FRAMEBUFFER:
	case MULTIBOOT2_HEADER_MODULE_ALIGN:
	case MULTIBOOT2_HEADER_EFI_BS: /* these mean nothing where boot services have ended */
	case MULTIBOOT2_HEADER_ENTRY_EFI32:
	case MULTIBOOT2_HEADER_ENTRY_EFI64:
		return LOAD_OK;
	default:
		if (tag->flags & MULTIBOOT2_OPTIONAL)
			return LOAD_OK;
		return load_fail(loader, LOAD_FORMAT,
		                 "L1's multiboot header has a tag of the unknown type %u: make it "
		                 "optional",
		                 (unsigned int)tag->type);
	}
	if (tag->size < size)
		return bad_header(loader, "has a tag that is too short: build it again");
	memcpy(to, at, size);
	return LOAD_OK;
}

static enum load_error read_wishes(struct loader *loader, uint64_t header_offset,
                                   struct wishes *wishes)
{
	const uint8_t *start = loader->file + header_offset;
	struct multiboot2_header header;
	uint64_t offset = sizeof(header);

	memset(wishes, 0, sizeof(*wishes));
	memcpy(&header, start, sizeof(header));
	if (header.architecture != MULTIBOOT2_ARCH_I386)
		return bad_header(loader, "is for another architecture than i386: build it for it");
	if (header.header_length > loader->file_size - header_offset)
		return load_fail(loader, LOAD_TRUNCATED,
		                 "L1's file is truncated: it ends in its multiboot header: copy or "
		                 "build it again");
	for (;;) {
		struct multiboot2_header_tag tag;
		enum load_error error;

		if (offset > header.header_length || header.header_length - offset < sizeof(tag))
			return bad_header(loader, "has no end tag: build it again");
		memcpy(&tag, start + offset, sizeof(tag));
		if (tag.type == MULTIBOOT2_HEADER_END)
			return LOAD_OK;
		if (tag.size < sizeof(tag) || tag.size > header.header_length - offset)
			return bad_header(loader,
			                  "has a tag that reaches beyond it: build it again");
		error = read_wish(loader, start + offset, &tag, wishes);
		if (error)
			return error;
		offset += ((uint64_t)tag.size + MULTIBOOT2_ALIGN - 1) & ~(MULTIBOOT2_ALIGN - 1ull);
	}
}

/* Stays where it was linked if it may and can, else goes where it prefers. */
static enum load_error relocate(struct loader *loader, struct image *image,
                                const struct multiboot2_header_relocatable *want)
{
	uint64_t size = image->high - image->low, limit = (uint64_t)want->max_addr + 1, at;

	if (!want->align || want->align & (want->align - 1))
		return bad_header(loader, "asks for an alignment that is no power of two");
	if (image->low >= want->min_addr && image->high <= limit &&
	    !(image->low & (want->align - 1)) &&
	    memmap_covers(loader->free_map, image->low, size, MEM_USABLE))
		return LOAD_OK;
	at = want->preference == MULTIBOOT2_PREFER_HIGH
	             ? memmap_find_high(loader->free_map, size, want->align, want->min_addr, limit)
	             : memmap_find_low(loader->free_map, size, want->align, want->min_addr, limit);
	if (!at)
		return load_fail(loader, LOAD_OCCUPIED,
		                 "L1 asks for 0x%llx bytes anywhere in 0x%x-0x%x, and there are no "
		                 "such free ones: widen the range or add memory",
		                 (unsigned long long)size, (unsigned int)want->min_addr,
		                 (unsigned int)want->max_addr);
	image->shift = at - image->low;
	return LOAD_OK;
}

static enum load_error open2(struct loader *loader, uint64_t header_offset,
                             const struct wishes *wishes, struct image *image)
{
	uint32_t addresses[4];

	if (!wishes->has_address)
		return image_open_elf(loader, image);
	if (!wishes->has_entry)
		return bad_header(loader, "has addresses but no entry: add an entry tag");
	memcpy(addresses, &wishes->address.header_addr, sizeof(addresses));
	if (addresses[1] == UINT32_MAX) { /* load the file from its beginning */
		if (addresses[0] < header_offset)
			return bad_header(loader, "has addresses before the file: build it again");
		addresses[1] = addresses[0] - (uint32_t)header_offset;
	}
	return image_open_flat(loader, image, header_offset, addresses, wishes->entry.entry_addr);
}

static enum load_error load2(struct loader *loader, uint64_t header_offset)
{
	enum load_error error;
	struct wishes wishes;
	struct image image;
	uint32_t load_base;

	loader->result->protocol = "multiboot2";
	error = read_wishes(loader, header_offset, &wishes);
	if (!error)
		error = open2(loader, header_offset, &wishes, &image);
	if (!error)
		error = image_check(loader, &image,
		                    wishes.has_entry ? &wishes.entry.entry_addr : NULL);
	if (!error && wishes.has_relocatable)
		error = relocate(loader, &image, &wishes.relocatable);
	if (!error)
		error = place(loader, &image, multiboot2_out_size(loader));
	if (error)
		return error;
	load_base = (uint32_t)(image.low + image.shift);
	set_entry(loader, &image, MULTIBOOT2_BOOT_MAGIC,
	          multiboot2_out(loader, wishes.has_relocatable ? &load_base : NULL));
	return LOAD_OK;
}

const struct load_format multiboot1_format = {.probe = probe1, .load = load1};
const struct load_format multiboot2_format = {.probe = probe2, .load = load2};
