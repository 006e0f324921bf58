/*
 * The information of both Multiboot protocols in memory, for unit tests. Relies on
 * tests/unit/multiboot_info.h.
 */
#include "tests/unit/multiboot_info.h"

struct boot_info boot;
const char *error;
uint64_t strings, tags;

int multiboot_start(void **state)
{
	(void)state;
	arena_new(MEMORY);
	strings = STRINGS;
	tags = INFO + 8;
	return 0;
}

int multiboot_end(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

uint32_t put_string(const char *text)
{
	uint64_t place = strings;

	put_text(place, text);
	strings += strlen(text) + 1;
	return (uint32_t)place;
}

void good(uint32_t magic)
{
	memset(&boot, 0xff, sizeof(boot));
	error = boot_info_from_multiboot(magic, INFO, &boot);
	if (error)
		fail_msg("%s", error);
}

void bad(uint32_t magic, const char *part)
{
	error = boot_info_from_multiboot(magic, INFO, &boot);
	assert_non_null(error);
	assert_non_null(strstr(error, part));
	assert_null(strchr(error, '\n'));
}

const char *boot_line(uint32_t module)
{
	assert_true(module < boot.module_count);
	assert_true(boot.modules[module].line < boot.text_used);
	assert_in_range(boot.text_used, 1, BOOT_TEXT_SIZE);
	return boot.text + boot.modules[module].line;
}

void assert_range(uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
	assert_true(i < boot.range_count);
	assert_int_equal(boot.ranges[i].base, base);
	assert_int_equal(boot.ranges[i].size, size);
	assert_int_equal(boot.ranges[i].type, type);
}

void put_mmap1(uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
	uint64_t entry = MMAP + (uint64_t)i * 24;

	put32(entry, 20);
	put64(entry + 4, base);
	put64(entry + 12, size);
	put32(entry + 20, type);
	put32(INFO + 44, (i + 1) * 24);
}

void put_module1(uint32_t i, uint32_t start, uint32_t end, const char *text)
{
	put32(MODULES + (uint64_t)i * 16, start);
	put32(MODULES + (uint64_t)i * 16 + 4, end);
	put32(MODULES + (uint64_t)i * 16 + 8, text ? put_string(text) : 0);
	put32(INFO + 20, i + 1);
}

void put_info1(const char *loader, const char *cmdline, const char *module)
{
	put32(INFO, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	put32(INFO + 4, 639);
	put32(INFO + 8, 1024);
	put32(INFO + 16, put_string(cmdline));
	put32(INFO + 24, MODULES);
	put_module1(0, 0x100000, 0x101234, module);
	put32(INFO + 48, MMAP);
	put_mmap1(0, 0, 0x9fc00, 1);
	put_mmap1(1, 0x9fc00, 0x400, 2);
	put_mmap1(2, 0x100000, 0x100000, 1);
	put32(INFO + 64, put_string(loader));
}

uint64_t put_tag(uint32_t type, uint32_t size)
{
	uint64_t tag = tags;

	put32(tag, type);
	put32(tag + 4, size);
	tags += (size + 7) & ~7u;
	put32(INFO, (uint32_t)(tags - INFO));
	return tag;
}

void put_line2(const char *text)
{
	uint64_t tag = put_tag(1, 8 + (uint32_t)strlen(text) + 1);

	put_text(tag + 8, text);
}

void put_module2(uint32_t start, uint32_t end, const char *text)
{
	uint64_t tag = put_tag(3, 16 + (uint32_t)strlen(text) + 1);

	put32(tag + 8, start);
	put32(tag + 12, end);
	put_text(tag + 16, text);
}

uint64_t put_mmap2(uint32_t entry_size)
{
	uint64_t tag = put_tag(6, 16 + 2 * entry_size), entry = tag + 16;

	put32(tag + 8, entry_size);
	put64(entry, 0);
	put64(entry + 8, 0x9f000);
	put32(entry + 16, 1);
	entry += entry_size;
	put64(entry, 0x100000);
	put64(entry + 8, 0x100000);
	put32(entry + 16, 7);
	return tag;
}

void put_meminfo2(void)
{
	uint64_t tag = put_tag(4, 16);

	put32(tag + 8, 640);
	put32(tag + 12, 2048);
}

/* Returns the map's tag, of two descriptors. */
uint64_t put_efi(void)
{
	uint64_t tag = put_tag(12, 16), map;

	put64(tag + 8, 0x823456789a);
	map = put_tag(17, 16 + 2 * 48);
	put32(map + 8, 48);
	put32(map + 12, 1);
	for (uint32_t i = 0; i < 2 * 48; i++)
		put8(map + 16 + i, (uint8_t)(i + 1));
	return map;
}

/* The tag of a framebuffer with numbers of its own everywhere. */
void put_screen2(uint8_t type, uint32_t size)
{
	static const uint8_t colors[] = {16, 8, 11, 5, 3, 7};
	uint64_t tag = put_tag(8, size);

	put64(tag + 8, 0x1234567000);
	put32(tag + 16, 4096);
	put32(tag + 20, 1000);
	put32(tag + 24, 700);
	*(uint8_t *)at(tag + 28) = 32;
	*(uint8_t *)at(tag + 29) = type;
	if (size >= 38)
		memcpy(at(tag + 32), colors, sizeof(colors));
}
