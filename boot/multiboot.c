/*
 * Turns what a multiboot loader left into struct boot_info. The loader is believed, but for sizes
 * and counts. Relies on boot/acpi.h, hv/phys.h and hv/string.h.
 */
#include "boot/multiboot.h"
#include "boot/acpi.h"
#include "boot/efi_map.h"
#include "boot/firmware_memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

enum { LOADER_NAME_SIZE = 16 }; /* as much as tells loaders apart */

#define UPPER_MEMORY (1ull << 20)
#define KIB(bytes)   ((uint64_t)(bytes) << 10)

/* No loader's information or map is larger; what says it is has a broken length. */
#define INFO_MAX_SIZE (16u << 20)

static const char damaged[] =
	"the boot loader's multiboot information is damaged or cut short: try another "
	"version of the loader";
static const char long_line[] = "a command line from the boot loader is longer than 2047 bytes: "
				"shorten it";
static const char many_modules[] = "the boot loader gave more than 1024 modules: leave some out";
static const char much_text[] = "the command lines of L1 and its modules have more than 64 KiB in "
				"all: shorten them";
static const char bad_module[] = "a module from the boot loader ends before it begins: try another "
				 "version of the loader";
static const char many_ranges[] = "the firmware's memory map has more than 512 ranges, which is "
				  "more than Nestling can hold";
static const char no_map[] = "the boot loader gave no memory map: try another loader";

/* Put before L1's line where it has no name; see multiboot.h. */
static const char l1_name[] = "l1 ";
enum { L1_NAME_ROOM = sizeof(l1_name) - 1 };

/* Copies the text at the hpa, which ends with a NUL or with size bytes, to BOOT_CMDLINE_SIZE. */
static const char *copy_text(char *to, uint64_t hpa, uint64_t size)
{
	const char *from = phys(hpa);

	for (size_t i = 0; i < BOOT_CMDLINE_SIZE && i < size; i++) {
		to[i] = from[i];
		if (!to[i])
			return NULL;
	}
	to[0] = '\0';
	return size < BOOT_CMDLINE_SIZE ? damaged : long_line;
}

static const char *copy_string(char *to, uint64_t hpa)
{
	return copy_text(to, hpa, SIZE_4G - hpa);
}

/* Likewise to a module's line, the last one so far. */
static const char *copy_line(struct boot_info *boot, uint64_t hpa, uint64_t size)
{
	static char line[BOOT_CMDLINE_SIZE];
	const char *error = NULL;
	size_t bytes;

	line[0] = '\0';
	if (hpa) /* Multiboot 1's may be none */
		error = copy_text(line, hpa, size);
	if (error)
		return error;
	bytes = strlen(line) + 1;
	if (bytes > BOOT_TEXT_SIZE - boot->text_used)
		return much_text;
	memcpy(boot->text + boot->text_used, line, bytes);
	boot->text_used += (uint32_t)bytes;
	return NULL;
}

static const char *add_range(struct boot_info *boot, uint64_t base, uint64_t size, uint32_t type)
{
	if (!size)
		return NULL;
	if (boot->range_count == BOOT_MAX_RANGES)
		return many_ranges;
	/* Types that nobody knows, and disabled memory, are nothing to touch. */
	if (type != MEM_PERSISTENT && type != MEM_PERSISTENT_OLD &&
	    (type < MEM_USABLE || type > MEM_BAD))
		type = MEM_RESERVED;
	boot->ranges[boot->range_count++] =
		(struct mem_range){.base = base, .size = size, .type = type};
	return NULL;
}

static const char *add_meminfo(struct boot_info *boot, uint32_t mem_lower, uint32_t mem_upper)
{
	const char *error = add_range(boot, 0, KIB(mem_lower < 640 ? mem_lower : 640), MEM_USABLE);

	return error ? error : add_range(boot, UPPER_MEMORY, KIB(mem_upper), MEM_USABLE);
}

/* One more module, with the line of size bytes at an hpa. */
static const char *add_module(struct boot_info *boot, uint32_t start, uint32_t end, uint64_t hpa,
                              uint64_t size)
{
	if (boot->module_count == BOOT_MAX_MODULES)
		return many_modules;
	if (end < start)
		return bad_module;
	if (!boot->module_count)
		boot->text_used = L1_NAME_ROOM;
	boot->modules[boot->module_count++] =
		(struct boot_module){.base = start, .size = end - start, .line = boot->text_used};
	return copy_line(boot, hpa, size);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t word_length(const char *text)
{
	size_t length = 0;

	while (text[length] && !is_blank(text[length]))
		length++;
	return length;
}

static bool holds(const char *text, size_t length, char c)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] == c)
			return true;
	return false;
}

static bool is_own_name(const char *text, size_t length)
{
	static const char name[] = "nestling";
	size_t base = length;

	while (base && text[base - 1] != '/')
		base--;
	return !holds(text, length, '=') && length - base >= sizeof(name) - 1 &&
	       !strncmp(text + base, name, sizeof(name) - 1);
}

/* Whether a loader's command lines begin with the program's name. */
enum habit { NAME_FIRST, NO_NAME, UNKNOWN_HABIT };

static enum habit habit_of(const char *loader)
{
	static const struct {
		const char *name;
		enum habit habit;
	} known[] = {
		{"qemu", NAME_FIRST},
		{"GNU GRUB ", NAME_FIRST}, /* 0.97 and before */
		{"GRUB ", NO_NAME},        /* 2 */
		{"Limine ", NO_NAME},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strncmp(loader, known[i].name, strlen(known[i].name)))
			return known[i].habit;
	}
	return UNKNOWN_HABIT;
}

static bool begins_with_name(const char *text, size_t length, enum habit habit)
{
	if (habit == NAME_FIRST)
		return true;
	if (habit == NO_NAME)
		return is_own_name(text, length);
	return !holds(text, length, '=');
}

/* See multiboot.h for what comes out. */
static const char *normalise(struct boot_info *boot, enum habit habit)
{
	char *line = boot->cmdline;
	size_t skip = 0, length;

	while (is_blank(line[skip]))
		skip++;
	length = word_length(line + skip);
	if (begins_with_name(line + skip, length, habit))
		skip += length;
	while (is_blank(line[skip]))
		skip++;
	memmove(line, line + skip, strlen(line + skip) + 1);

	line = boot->text + boot->modules[0].line;
	if (!boot->module_count || habit == NAME_FIRST)
		return NULL;
	for (skip = 0; is_blank(line[skip]);)
		skip++;
	length = word_length(line + skip);
	if (length && !holds(line + skip, length, '='))
		return NULL;
	if (strlen(line) + L1_NAME_ROOM >= BOOT_CMDLINE_SIZE)
		return long_line;
	boot->modules[0].line -= L1_NAME_ROOM;
	memcpy(line - L1_NAME_ROOM, l1_name, L1_NAME_ROOM);
	return NULL;
}

static const char *read_mmap1(const struct multiboot1_info *info, struct boot_info *boot)
{
	const uint64_t payload = sizeof(struct multiboot1_mmap) - sizeof(uint32_t);
	uint64_t at = info->mmap_addr, left = info->mmap_length;
	struct multiboot1_mmap entry;
	const char *error;

	if (left > INFO_MAX_SIZE || !is_low(at, left))
		return damaged;
	while (left) {
		if (left < sizeof(entry))
			return damaged;
		memcpy(&entry, phys(at), sizeof(entry));
		if (entry.size < payload || entry.size > left - sizeof(entry.size))
			return damaged;
		error = add_range(boot, entry.addr, entry.len, entry.type);
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
		return many_modules;
	if (!is_low(info->mods_addr, info->mods_count * sizeof(struct multiboot1_module)))
		return damaged;
	for (uint32_t i = 0; i < info->mods_count; i++) {
		struct multiboot1_module from;
		const char *error;

		memcpy(&from, phys(info->mods_addr + (uint64_t)i * sizeof(from)), sizeof(from));
		error = add_module(boot, from.mod_start, from.mod_end, from.string,
		                   SIZE_4G - from.string);
		if (error)
			return error;
	}
	return NULL;
}

static const char *read_multiboot1(uint64_t info_hpa, struct boot_info *boot)
{
	struct multiboot1_info info;
	const char *error = NULL;
	char loader[LOADER_NAME_SIZE] = "";

	if (!is_low(info_hpa, sizeof(info)))
		return damaged;
	memcpy(&info, phys(info_hpa), sizeof(info));
	if (info.flags & MULTIBOOT1_INFO_MMAP)
		error = read_mmap1(&info, boot);
	else if (info.flags & MULTIBOOT1_INFO_MEMORY)
		error = add_meminfo(boot, info.mem_lower, info.mem_upper);
	if (!error && info.flags & MULTIBOOT1_INFO_CMDLINE)
		error = copy_string(boot->cmdline, info.cmdline);
	if (!error && info.flags & MULTIBOOT1_INFO_MODULES)
		error = read_modules1(&info, boot);
	if (error)
		return error;
	if (info.flags & MULTIBOOT1_INFO_LOADER_NAME &&
	    is_low(info.boot_loader_name, sizeof(loader) - 1))
		memcpy(loader, phys(info.boot_loader_name), sizeof(loader) - 1);
	boot->source = BOOT_MULTIBOOT1;
	return normalise(boot, habit_of(loader));
}

static const char *read_mmap2(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_mmap mmap;
	struct multiboot2_mmap_entry entry;

	if (size < sizeof(mmap))
		return damaged;
	memcpy(&mmap, phys(at), sizeof(mmap));
	if (mmap.entry_size < sizeof(entry))
		return damaged;
	for (uint64_t i = sizeof(mmap); i < size; i += mmap.entry_size) {
		const char *error;

		if (mmap.entry_size > size - i)
			return damaged;
		memcpy(&entry, phys(at + i), sizeof(entry));
		error = add_range(boot, entry.base_addr, entry.length, entry.type);
		if (error)
			return error;
	}
	return NULL;
}

static const char *read_module2(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_module from;

	if (size < sizeof(from))
		return damaged;
	memcpy(&from, phys(at), sizeof(from));
	return add_module(boot, from.mod_start, from.mod_end, at + sizeof(from),
	                  size - sizeof(from));
}

static uint32_t align_tag(uint32_t bytes)
{
	return (bytes + MULTIBOOT2_ALIGN - 1) & ~(MULTIBOOT2_ALIGN - 1u);
}

bool boot_keep(struct boot_info *boot, const void *head, uint32_t head_bytes, const void *rest,
               uint32_t rest_bytes)
{
	uint8_t *to = boot->kept + boot->kept_bytes;

	if (rest_bytes > BOOT_KEPT_SIZE - head_bytes ||
	    align_tag(head_bytes + rest_bytes) > BOOT_KEPT_SIZE - boot->kept_bytes)
		return false;
	memcpy(to, head, head_bytes);
	memcpy(to + head_bytes, rest, rest_bytes);
	boot->kept_bytes += align_tag(head_bytes + rest_bytes);
	return true;
}

bool boot_kept(const struct boot_info *boot, uint32_t type)
{
	struct multiboot2_tag tag;

	for (uint32_t at = 0; at < boot->kept_bytes; at += align_tag(tag.size)) {
		memcpy(&tag, boot->kept + at, sizeof(tag));
		if (tag.type == type)
			return true;
	}
	return false;
}

/* One that is too large counts as none: then L1 is not told of EFI, and that is logged. */
static const char *read_efi_mmap(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_efi_mmap from;

	if (size < sizeof(from))
		return damaged;
	memcpy(&from, phys(at), sizeof(from));
	size -= (uint32_t)sizeof(from);
	if (!efi_map_valid(size, from.descriptor_size))
		return damaged;
	if (size > BOOT_EFI_MAP_SIZE)
		return NULL;
	boot->efi.map_bytes = size;
	boot->efi.descriptor_bytes = from.descriptor_size;
	boot->efi.descriptor_version = from.descriptor_version;
	memcpy(boot->efi.map, phys(at + sizeof(from)), size);
	return NULL;
}

/* Whatever is wrong with it, the machine boots all the same. */
static void read_screen(uint64_t at, uint32_t size, struct boot_info *boot)
{
	static const uint8_t kinds[] = {
		[MULTIBOOT_FRAMEBUFFER_PALETTE] = SCREEN_PALETTE,
		[MULTIBOOT_FRAMEBUFFER_RGB] = SCREEN_PIXELS,
		[MULTIBOOT_FRAMEBUFFER_TEXT] = SCREEN_TEXT,
	};
	const uint32_t whole = MULTIBOOT2_FRAMEBUFFER_RGB_SIZE;
	struct multiboot2_framebuffer from = {0};

	boot->screen_kind = SCREEN_BROKEN;
	memcpy(&from, phys(at), size < whole ? size : whole);
	if (size < MULTIBOOT2_FRAMEBUFFER_TEXT_SIZE || from.type >= sizeof(kinds) ||
	    (from.type == MULTIBOOT_FRAMEBUFFER_RGB && size < whole))
		return;
	boot->screen_kind = kinds[from.type];
	boot->screen = (struct framebuffer){
		.base = from.addr,
		.pitch = from.pitch,
		.width = from.width,
		.height = from.height,
		.bits = from.bpp,
		.red = from.red,
		.green = from.green,
		.blue = from.blue,
	};
}

/* What tags of lesser worth say, for when better ones are missing. */
struct fallback {
	bool have_meminfo;
	struct multiboot2_meminfo meminfo;
	uint64_t efi_rsdp, rsdp_copy;
};

static const char *read_tag(uint64_t at, uint32_t type, uint32_t size, struct boot_info *boot,
                            struct fallback *fallback)
{
	uint64_t pointer = 0;

	switch (type) {
	case MULTIBOOT2_TAG_CMDLINE:
		return copy_text(boot->cmdline, at + sizeof(struct multiboot2_tag),
		                 size - sizeof(struct multiboot2_tag));
	case MULTIBOOT2_TAG_MODULE:
		return read_module2(at, size, boot);
	case MULTIBOOT2_TAG_MMAP:
		return read_mmap2(at, size, boot);
	case MULTIBOOT2_TAG_FRAMEBUFFER:
		read_screen(at, size, boot);
		return NULL;
	case MULTIBOOT2_TAG_MEMINFO:
		if (size < sizeof(fallback->meminfo))
			return damaged;
		memcpy(&fallback->meminfo, phys(at), sizeof(fallback->meminfo));
		fallback->have_meminfo = true;
		return NULL;
	case MULTIBOOT2_TAG_EFI32:
	case MULTIBOOT2_TAG_EFI64: {
		uint32_t bytes = type == MULTIBOOT2_TAG_EFI64 ? 8 : 4;

		if (size < sizeof(struct multiboot2_tag) + bytes)
			return damaged;
		memcpy(&pointer, phys(at + sizeof(struct multiboot2_tag)), bytes);
		fallback->efi_rsdp = acpi_rsdp_from_efi(pointer, type == MULTIBOOT2_TAG_EFI64);
		boot->efi.system_table = pointer;
		boot->efi.wide = type == MULTIBOOT2_TAG_EFI64;
		return NULL;
	}
	case MULTIBOOT2_TAG_EFI_MMAP:
		return read_efi_mmap(at, size, boot);
	case MULTIBOOT2_TAG_SMBIOS:
	case MULTIBOOT2_TAG_NETWORK:
		boot_keep(boot, phys(at), size, "", 0); /* one that is too large is left out */
		return NULL;
	case MULTIBOOT2_TAG_ACPI_OLD:
	case MULTIBOOT2_TAG_ACPI_NEW:
		if (size < sizeof(struct multiboot2_tag) + (type == MULTIBOOT2_TAG_ACPI_OLD
		                                                    ? ACPI_RSDP1_SIZE
		                                                    : sizeof(struct acpi_rsdp)))
			return damaged;
		/* The new one has all that the old one has. */
		if (type == MULTIBOOT2_TAG_ACPI_NEW || !fallback->rsdp_copy)
			fallback->rsdp_copy = at + sizeof(struct multiboot2_tag);
		return NULL;
	default:
		return NULL;
	}
}

static const char *read_multiboot2(uint64_t info_hpa, struct boot_info *boot)
{
	struct fallback fallback = {0};
	struct multiboot2_info info;
	const char *error = NULL;
	uint64_t offset = sizeof(info);

	if (info_hpa % MULTIBOOT2_ALIGN || !is_low(info_hpa, sizeof(info)))
		return damaged;
	memcpy(&info, phys(info_hpa), sizeof(info));
	if (info.total_size > INFO_MAX_SIZE || !is_low(info_hpa, info.total_size))
		return damaged;
	for (;;) {
		struct multiboot2_tag tag;

		if (offset > info.total_size || info.total_size - offset < sizeof(tag))
			return damaged;
		memcpy(&tag, phys(info_hpa + offset), sizeof(tag));
		if (tag.type == MULTIBOOT2_TAG_END)
			break;
		if (tag.size < sizeof(tag) || tag.size > info.total_size - offset)
			return damaged;
		error = read_tag(info_hpa + offset, tag.type, tag.size, boot, &fallback);
		if (error)
			return error;
		offset += ((uint64_t)tag.size + MULTIBOOT2_ALIGN - 1) & ~(MULTIBOOT2_ALIGN - 1ull);
	}
	if (!boot->range_count && fallback.have_meminfo)
		error = add_meminfo(boot, fallback.meminfo.mem_lower, fallback.meminfo.mem_upper);
	boot->rsdp = fallback.efi_rsdp ? fallback.efi_rsdp : acpi_find_rsdp();
	if (!boot->rsdp)
		boot->rsdp = fallback.rsdp_copy;
	boot->source = BOOT_MULTIBOOT2;
	return error ? error : normalise(boot, NO_NAME);
}

const char *boot_info_from_multiboot(uint32_t magic, uint64_t info_hpa, struct boot_info *boot)
{
	const char *error;

	memset(boot, 0, sizeof(*boot));
	switch (magic) {
	case MULTIBOOT1_BOOT_MAGIC:
		error = read_multiboot1(info_hpa, boot);
		if (!error)
			boot->rsdp = acpi_find_rsdp();
		break;
	case MULTIBOOT2_BOOT_MAGIC:
		error = read_multiboot2(info_hpa, boot);
		break;
	default:
		return "the boot loader is not a multiboot one: use GRUB 2, QEMU's -kernel or the "
		       "EFI program";
	}
	if (!error && !boot->range_count)
		error = no_map;
	return error;
}
