/*
 * Turns what a multiboot loader left into struct boot_info: what both versions have, ranges of
 * memory and modules with their lines, and what a line is to begin with. Relies on hv/phys.h.
 */
#include "boot/multiboot_read.h"
#include "boot/acpi.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

#define UPPER_MEMORY (1ull << 20)
#define KIB(bytes)   ((uint64_t)(bytes) << 10)

const char multiboot_damaged[] =
	"the boot loader's multiboot information is damaged or cut short: try another "
	"version of the loader";
static const char long_line[] = "a command line from the boot loader is longer than 2047 bytes: "
				"shorten it";
const char multiboot_many_modules[] = "the boot loader gave more than 1024 modules: leave some out";
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

const char *multiboot_copy_text(char *to, uint64_t hpa, uint64_t size)
{
	const char *from = phys(hpa);

	for (size_t i = 0; i < BOOT_CMDLINE_SIZE && i < size; i++) {
		to[i] = from[i];
		if (!to[i])
			return NULL;
	}
	to[0] = '\0';
	return size < BOOT_CMDLINE_SIZE ? multiboot_damaged : long_line;
}

/* Copies it to a module's line, the last one so far. */
static const char *copy_line(struct boot_info *boot, uint64_t hpa, uint64_t size)
{
	static char line[BOOT_CMDLINE_SIZE];
	const char *error = NULL;
	size_t bytes;

	line[0] = '\0';
	if (hpa) /* Multiboot 1's may be none */
		error = multiboot_copy_text(line, hpa, size);
	if (error)
		return error;
	bytes = strlen(line) + 1;
	if (bytes > BOOT_TEXT_SIZE - boot->text_used)
		return much_text;
	memcpy(boot->text + boot->text_used, line, bytes);
	boot->text_used += (uint32_t)bytes;
	return NULL;
}

const char *multiboot_add_range(struct boot_info *boot, uint64_t base, uint64_t size, uint32_t type)
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

const char *multiboot_add_meminfo(struct boot_info *boot, uint32_t mem_lower, uint32_t mem_upper)
{
	const char *error =
		multiboot_add_range(boot, 0, KIB(mem_lower < 640 ? mem_lower : 640), MEM_USABLE);

	return error ? error : multiboot_add_range(boot, UPPER_MEMORY, KIB(mem_upper), MEM_USABLE);
}

const char *multiboot_add_module(struct boot_info *boot, uint32_t start, uint32_t end, uint64_t hpa,
                                 uint64_t size)
{
	if (boot->module_count == BOOT_MAX_MODULES)
		return multiboot_many_modules;
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

enum habit multiboot_habit_of(const char *loader)
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

const char *multiboot_normalise(struct boot_info *boot, enum habit habit)
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

const char *boot_info_from_multiboot(uint32_t magic, uint64_t info_hpa, struct boot_info *boot)
{
	const char *error;

	memset(boot, 0, sizeof(*boot));
	switch (magic) {
	case MULTIBOOT1_BOOT_MAGIC:
		error = multiboot1_read(info_hpa, boot);
		if (!error)
			boot->rsdp = acpi_find_rsdp();
		break;
	case MULTIBOOT2_BOOT_MAGIC:
		error = multiboot2_read(info_hpa, boot);
		break;
	default:
		return "the boot loader is not a multiboot one: use GRUB 2, QEMU's -kernel or the "
		       "EFI program";
	}
	if (!error && !boot->range_count)
		error = no_map;
	return error;
}
