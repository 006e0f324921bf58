/*
 * Loading L1 as multiboot2: every field that L1 reads, every way to be broken; and random files.
 * Relies on cmocka and tests/unit/load_images.h.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi_map.h"
#include "boot/multiboot.h"
#include "tests/unit/arena.h"
#include "tests/unit/load_images.h"

static const uint8_t *find_tag(uint32_t type, uint32_t nth)
{
	uint64_t info = rig.result.entry.ebx, end = info + get32(info);

	assert_int_equal(info % 8, 0);
	assert_in_info(info, get32(info));
	for (uint64_t tag = info + 8; tag < end; tag += (get32(tag + 4) + 7) & ~7u) {
		if (get32(tag) == type && !nth--)
			return at(tag);
		if (get32(tag) == MULTIBOOT2_TAG_END) {
			assert_int_equal(tag + 8, end);
			return NULL;
		}
	}
	fail_msg("no end tag");
	return NULL;
}

static void loads_multiboot2(void **state)
{
	const struct multiboot2_mmap *mmap;
	const struct multiboot2_meminfo *meminfo;
	const struct multiboot2_module *module;
	const struct multiboot2_mmap_entry *entries;

	(void)state;
	put_header2();
	put_elf64();
	rig_add_module(RIG_INITRD, 0x2345, "first a b");
	rig_add_module(RIG_INITRD2, 0x10, "");
	rig.boot.rsdp = 0x3000;
	put_rsdp(rig.boot.rsdp, 2, 0x1234, 0x5678);
	rig_good();
	assert_string_equal(rig.result.protocol, "multiboot2");
	assert_loaded(0);
	assert_entry(ENTRY, MULTIBOOT2_BOOT_MAGIC);
	assert_string_equal(find_tag(MULTIBOOT2_TAG_CMDLINE, 0) + 8, "one two");
	assert_string_equal(find_tag(MULTIBOOT2_TAG_LOADER_NAME, 0) + 8, "Nestling");
	module = (const void *)find_tag(MULTIBOOT2_TAG_MODULE, 0);
	assert_int_equal(module->mod_start, IMAGE_END);
	assert_int_equal(module->mod_end, IMAGE_END + 0x2345);
	assert_string_equal((const char *)(module + 1), "first a b");
	assert_true(rig_is_module(module->mod_start, 1));
	module = (const void *)find_tag(MULTIBOOT2_TAG_MODULE, 1);
	assert_true(rig_is_module(module->mod_start, 2));
	assert_null(find_tag(MULTIBOOT2_TAG_MODULE, 2));
	meminfo = (const void *)find_tag(MULTIBOOT2_TAG_MEMINFO, 0);
	assert_int_equal(meminfo->mem_lower, rig.map.range[0].size >> 10);
	assert_int_equal(meminfo->mem_upper, (RIG_L0 - RIG_UPPER) >> 10);
	mmap = (const void *)find_tag(MULTIBOOT2_TAG_MMAP, 0);
	assert_int_equal(mmap->entry_size, 24);
	assert_int_equal(mmap->entry_version, 0);
	assert_int_equal(mmap->tag.size, 16 + 24 * rig.map.count);
	entries = (const void *)(mmap + 1);
	for (uint32_t i = 0; i < rig.map.count; i++) {
		assert_int_equal(entries[i].base_addr, rig.map.range[i].base);
		assert_int_equal(entries[i].length, rig.map.range[i].size);
		assert_int_equal(entries[i].type, rig.map.range[i].type);
	}
	assert_memory_equal(find_tag(MULTIBOOT2_TAG_ACPI_OLD, 0) + 8, at(rig.boot.rsdp), 20);
	assert_memory_equal(find_tag(MULTIBOOT2_TAG_ACPI_NEW, 0) + 8, at(rig.boot.rsdp), 36);
	assert_null(find_tag(MULTIBOOT2_TAG_LOAD_BASE, 0));
	put_rsdp(rig.boot.rsdp, 0, 0x1234, 0);
	rig_map();
	rig_good();
	assert_non_null(find_tag(MULTIBOOT2_TAG_ACPI_OLD, 0));
	assert_null(find_tag(MULTIBOOT2_TAG_ACPI_NEW, 0));
}

static void tells_of_the_screen(void **state)
{
	static const uint8_t colors[] = {16, 8, 8, 7, 1, 6};
	const struct multiboot2_framebuffer *tag;

	(void)state;
	put_header2();
	rig_good();
	assert_null(find_tag(8, 0));
	put_screen();
	rig_map();
	rig_good();
	tag = (const void *)find_tag(8, 0);
	assert_int_equal(tag->tag.size, 38);
	assert_int_equal(tag->addr, 0x4080000000);
	assert_int_equal(tag->pitch, 4352);
	assert_int_equal(tag->width, 1024);
	assert_int_equal(tag->height, 768);
	assert_int_equal(tag->bpp, 32);
	assert_int_equal(tag->type, 1);
	assert_memory_equal((const uint8_t *)tag + 32, colors, sizeof(colors));
	put_text_screen();
	rig_map();
	rig_good();
	tag = (const void *)find_tag(8, 0);
	assert_int_equal(tag->tag.size, 32);
	assert_int_equal(tag->addr, 0xb8000);
	assert_int_equal(tag->width, 80);
	assert_int_equal(tag->type, 2);
}

static void put_network_tag(void)
{
	const struct multiboot2_tag tag = {MULTIBOOT2_TAG_NETWORK, 41};

	memcpy(rig.boot.kept, &tag, sizeof(tag));
	rig.boot.kept_bytes = 48;
}

static void tells_of_efi(void **state)
{
	const struct multiboot2_efi_mmap *map;
	uint8_t expected[16 * 48];

	(void)state;
	put_header2();
	rig_good();
	assert_null(find_tag(11, 0));
	assert_null(find_tag(12, 0));
	assert_null(find_tag(17, 0));
	put_efi(true, 0x800000, 0x100000);
	memset(rig.boot.kept, 0x77, 48); /* a tag of 41 bytes */
	put_network_tag();
	rig_map();
	rig_good();
	assert_int_equal(*(const uint64_t *)(const void *)(find_tag(12, 0) + 8), 0x7f3e0018);
	assert_null(find_tag(11, 0));
	map = (const void *)find_tag(17, 0);
	assert_int_equal(map->descriptor_size, 48);
	assert_int_equal(map->descriptor_version, 1);
	/* L0's region and the information itself are cut out. */
	assert_int_equal(map->tag.size, 16 + 48 * (4 + 1 + 2));
	assert_int_equal(efi_map_out(&rig.boot.efi, &rig.map, expected), 48 * 7);
	assert_memory_equal(map + 1, expected, sizeof(expected) / 16 * 7);
	assert_memory_equal(find_tag(16, 0), rig.boot.kept, 41);
	put_efi(false, 0x800000, 0x100000);
	rig.boot.efi.map_bytes = 0;
	rig_map();
	rig_good();
	assert_int_equal(*(const uint32_t *)(const void *)(find_tag(11, 0) + 8), 0x7f3e0018);
	assert_null(find_tag(12, 0));
	assert_null(find_tag(17, 0));
}

/* Modules go where boot services left nothing, unless there is no room else. */
static void spares_boot_services(void **state)
{
	(void)state;
	put_header2();
	rig_add_module(RIG_INITRD, 0x2345, "first");
	put_efi(true, IMAGE_END, 0x1000);
	rig_good();
	assert_int_equal(
		((const struct multiboot2_module *)(const void *)find_tag(3, 0))->mod_start,
		RIG_STAGE - 0x3000);
	put_efi(true, IMAGE_END + 0x3000, 0x1000);
	rig_map();
	rig_good();
	assert_int_equal(
		((const struct multiboot2_module *)(const void *)find_tag(3, 0))->mod_start,
		IMAGE_END);
	put_efi(true, RIG_UPPER, RIG_MEMORY - RIG_UPPER);
	rig_map();
	rig_good();
	assert_int_equal(
		((const struct multiboot2_module *)(const void *)find_tag(3, 0))->mod_start,
		IMAGE_END);
	assert_true(memmap_covers(&rig.map, RIG_UPPER, RIG_L0 - RIG_UPPER, MEM_USABLE));
}

/* As many modules, command lines and ranges as L0 takes. */
static void fills_the_information(void **state)
{
	char line[BOOT_CMDLINE_SIZE], last[BOOT_CMDLINE_SIZE];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	line[1] = ' ';
	put_header2();
	rig.boot.text_used = 0;
	rig_set_line(0, line);
	for (uint32_t i = 1; i < BOOT_MAX_MODULES - 1; i++)
		rig_add_module(RIG_INITRD + i, 1, "a module has this line and that");
	memset(last, 'y', sizeof(last));
	last[(BOOT_TEXT_SIZE - rig.boot.text_used - 1) % sizeof(last)] = '\0';
	rig_add_module(RIG_INITRD, 1, last);
	for (uint64_t i = 0; rig.map.count < BOOT_MAX_RANGES - 10; i++)
		assert_true(memmap_add(&rig.map, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE));
	rig.boot.rsdp = 0x3000;
	put_rsdp(rig.boot.rsdp, 2, 0, 0);
	rig_good();
	assert_int_equal(strlen((const char *)find_tag(MULTIBOOT2_TAG_CMDLINE, 0) + 8), 2045);
	assert_string_equal(find_tag(MULTIBOOT2_TAG_MODULE, BOOT_MAX_MODULES - 2) + 16, last);
	assert_null(find_tag(MULTIBOOT2_TAG_MODULE, BOOT_MAX_MODULES - 1));
	put_header1(0);
	put_elf32();
	memmap_add(&rig.map, 0x400, 0x1000, MEM_USABLE);
	rig_good();
	assert_int_equal(get32(rig.result.entry.ebx + 20), BOOT_MAX_MODULES - 1);
	assert_text(get32(get32(rig.result.entry.ebx + 24) + (BOOT_MAX_MODULES - 2) * 16 + 8),
	            last);
	for (uint32_t i = 1; i < BOOT_MAX_MODULES; i++)
		assert_true(
			rig_is_module(get32(get32(rig.result.entry.ebx + 24) + (i - 1) * 16), i));
}

/* With every length of a line, the last string still ends in what was reserved. */
static void asks_for_enough_memory(void **state)
{
	char line[BOOT_CMDLINE_SIZE];

	(void)state;
	rig.boot.rsdp = RIG_STAGE - 0x1000;
	put_rsdp(rig.boot.rsdp, 2, 0x1234, 0x5678);
	for (size_t length = 1; length < BOOT_CMDLINE_SIZE; length++) {
		memset(line, 'x', length);
		line[length] = '\0';
		rig.boot.text_used = 0;
		rig_set_line(0, line);
		rig_map();
		/* As many ranges as let the strings end near the end of a page. */
		for (uint64_t i = 0; i < 60; i++)
			memmap_add(&rig.map, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE);
		put16(0x40e, 0);
		rig_good();
		assert_int_not_equal(get16(0x40e), 0);
		assert_text(get32(rig.result.entry.ebx + 64), "Nestling");
		assert_true(get32(rig.result.entry.ebx + 64) > get32(rig.result.entry.ebx + 16));
	}
}

/* The pages behind a low image are the first choice for modules, but not those of information. */
static void keeps_modules_off_the_information(void **state)
{
	uint64_t mods;

	(void)state;
	segment32(1)->p_paddr = segment32(1)->p_vaddr = 0x98000;
	((Elf32_Ehdr *)at(FILE_BASE))->e_entry = 0x98000;
	segment32(2)->p_type = PT_NOTE;
	rig_add_module(RIG_INITRD, 0x5000, "a");
	rig_good();
	mods = get32(rig.result.entry.ebx + 24);
	assert_int_equal(get32(mods), 0x99000);
	assert_true(rig_is_module(0x99000, 1));
	rig.boot.modules[1].size = 0x6000;
	rig_map();
	rig_good();
	mods = get32(rig.result.entry.ebx + 24);
	assert_int_equal(get32(mods), RIG_STAGE - 0x6000);
}

static void prefers_multiboot1(void **state)
{
	(void)state;
	put_header2();
	put32(FILE_BASE + 0x700, MULTIBOOT1_HEADER_MAGIC);
	put32(FILE_BASE + 0x704, 0);
	put32(FILE_BASE + 0x708, -MULTIBOOT1_HEADER_MAGIC);
	rig_good();
	assert_string_equal(rig.result.protocol, "multiboot1");
}

static void obeys_header_tags(void **state)
{
	uint64_t tag;

	(void)state;
	begin_header2();
	tag = put_tag2(MULTIBOOT2_HEADER_REQUEST, 0, 16);
	put32(tag + 8, MULTIBOOT2_TAG_MMAP);
	put32(tag + 12, 8); /* a framebuffer: not there, but known */
	tag = put_tag2(MULTIBOOT2_HEADER_REQUEST, 1, 12);
	put32(tag + 8, 1000);
	put_tag2(MULTIBOOT2_HEADER_CONSOLE, 0, 12);
	put_tag2(MULTIBOOT2_HEADER_FRAMEBUFFER, 0, 20);
	put_tag2(MULTIBOOT2_HEADER_MODULE_ALIGN, 0, 8);
	put_tag2(MULTIBOOT2_HEADER_EFI_BS, 0, 8);
	put_tag2(MULTIBOOT2_HEADER_ENTRY_EFI32, 0, 12);
	put_tag2(MULTIBOOT2_HEADER_ENTRY_EFI64, 0, 12);
	put_tag2(500, 1, 8);
	tag = put_tag2(MULTIBOOT2_HEADER_ENTRY, 0, 12);
	put32(tag + 8, DATA_ADDR + 1);
	end_tag2();
	rig_good();
	assert_entry(DATA_ADDR + 1, MULTIBOOT2_BOOT_MAGIC);
	put32(tag + 8, TEXT_ADDR - 1);
	rig_bad(LOAD_FORMAT, "entry");
	put16(tag, 500);
	rig_bad(LOAD_FORMAT, "unknown type 500");
	put16(tag, MULTIBOOT2_HEADER_REQUEST);
	put32(tag + 8, 1000);
	rig_bad(LOAD_FORMAT, "unknown type 1000");
}

static void refuses_broken_headers2(void **state)
{
	uint64_t tag;

	(void)state;
	put_header2();
	put32(FILE_BASE + HEADER + 4, 4);
	put32(FILE_BASE + HEADER + 12, -(MULTIBOOT2_HEADER_MAGIC + 4 + 24));
	rig_bad(LOAD_FORMAT, "architecture");
	begin_header2();
	put_tag2(MULTIBOOT2_HEADER_MODULE_ALIGN, 0, 8);
	rig_bad(LOAD_FORMAT, "no end tag");
	begin_header2();
	end_header2();
	rig_bad(LOAD_FORMAT, "no end tag");
	begin_header2();
	tag = put_tag2(MULTIBOOT2_HEADER_ENTRY, 0, 8);
	end_tag2();
	rig_bad(LOAD_FORMAT, "too short");
	put32(tag + 4, 7);
	rig_bad(LOAD_FORMAT, "beyond it");
	put32(tag + 4, 0xfffffffc);
	rig_bad(LOAD_FORMAT, "beyond it");
	put_header2();
	put32(FILE_BASE + HEADER + 8, 0x10000);
	put32(FILE_BASE + HEADER + 12, -(MULTIBOOT2_HEADER_MAGIC + 0x10000));
	rig_bad(LOAD_TRUNCATED, "multiboot header");
}

static void loads_by_address_tag(void **state)
{
	const uint32_t load = 0x200000;
	uint64_t address, entry;

	(void)state;
	memset(at(load), 0xaa, 0x4000);
	begin_header2();
	address = put_tag2(MULTIBOOT2_HEADER_ADDRESS, 0, 24);
	put32(address + 8, load + (uint32_t)HEADER);
	put32(address + 12, 0xffffffff); /* from the file's beginning */
	put32(address + 20, load + (uint32_t)FILE_SIZE + 0x100);
	entry = put_tag2(MULTIBOOT2_HEADER_ENTRY, 0, 12);
	put32(entry + 8, load + 0x1004);
	end_tag2();
	rig_good();
	assert_memory_equal(at(load), at(FILE_BASE), FILE_SIZE);
	assert_int_equal(get32(load + FILE_SIZE + 0xfc), 0);
	assert_int_equal(get32(load + FILE_SIZE + 0x100), 0xaaaaaaaa);
	assert_entry(load + 0x1004, MULTIBOOT2_BOOT_MAGIC);
	put32(address + 8, (uint32_t)HEADER - 1);
	rig_bad(LOAD_FORMAT, "before the file");
	put16(entry, MULTIBOOT2_HEADER_MODULE_ALIGN);
	rig_bad(LOAD_FORMAT, "no entry");
}

static void put_relocatable(uint32_t min, uint32_t max, uint32_t align, uint32_t preference)
{
	uint64_t tag;

	begin_header2();
	tag = put_tag2(MULTIBOOT2_HEADER_RELOCATABLE, 0, 24);
	put32(tag + 8, min);
	put32(tag + 12, max);
	put32(tag + 16, align);
	put32(tag + 20, preference);
	end_tag2();
	rig_map();
}

static void assert_moved(uint64_t to)
{
	assert_loaded(to - TEXT_ADDR);
	assert_entry((uint32_t)(ENTRY + to - TEXT_ADDR), MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(
		((const struct multiboot2_load_base *)find_tag(MULTIBOOT2_TAG_LOAD_BASE, 0))
			->load_base_addr,
		to);
}

static void moves_relocatable_images(void **state)
{
	uint64_t size = DATA_ADDR + DATA_SIZE + BSS_SIZE - TEXT_ADDR;

	(void)state;
	put_elf64();
	put_relocatable(0x100000, 0xffffffff, 0x1000, MULTIBOOT2_PREFER_HIGH);
	rig_good();
	assert_moved(TEXT_ADDR);
	put_relocatable(0x200001, 0xffffffff, 0x10000, MULTIBOOT2_PREFER_NONE);
	rig_good();
	assert_moved(0x210000);
	put_relocatable(0x100000, 0xffffffff, 0x200000, MULTIBOOT2_PREFER_NONE);
	rig_good();
	assert_moved(0x200000);
	put_relocatable(0x200001, 0xffffffff, 0x1000, MULTIBOOT2_PREFER_HIGH);
	rig_good();
	assert_moved((RIG_STAGE - size) & ~0xfffull);
	/* Downwards, too. */
	segment64(0)->p_paddr += 0xb00000;
	segment64(1)->p_paddr += 0xb00000;
	put_relocatable(0x100000, 0xffffffff, 0x1000, MULTIBOOT2_PREFER_LOW);
	rig_good();
	assert_loaded(0);
	assert_entry(ENTRY, MULTIBOOT2_BOOT_MAGIC);
	put_relocatable(0x100000, (uint32_t)(0x100000 + size - 2), 0x1000, MULTIBOOT2_PREFER_LOW);
	rig_bad(LOAD_OCCUPIED, "no such free ones");
	put_relocatable(0x100000, 0xffffffff, 0x1001, MULTIBOOT2_PREFER_LOW);
	rig_bad(LOAD_FORMAT, "power of two");
	put_relocatable(0x100000, 0xffffffff, 0, MULTIBOOT2_PREFER_LOW);
	rig_bad(LOAD_FORMAT, "power of two");
}

/* Numbers that are worth trying. */
static uint32_t interesting(void)
{
	static const uint32_t values[] = {
		0,        1,       0xffffffff,          0x80000000,          0x7fffffff,
		0x1000,   0x9f000, (uint32_t)RIG_L0,    (uint32_t)RIG_STAGE, (uint32_t)RIG_MEMORY,
		0x100000, 0xa0000, (uint32_t)FILE_SIZE, 0xfffff000,
	};

	if (!random_below(3))
		return random_below(0x2000);
	return values[random_below(sizeof(values) / sizeof(values[0]))] - random_below(2);
}

static void survives_random_files(void **state)
{
	int loaded = 0;

	(void)state;
	random_start("load");
	rig_add_module(RIG_INITRD, 0x2345, "first a b");
	for (int round = 0; round < 2000; round++) {
		uint32_t kind = random_below(5);

		rig.boot.modules[0].size = FILE_SIZE;
		memset(at(FILE_BASE), 0, TEXT);
		if (random_below(2))
			put_elf32();
		else
			put_elf64();
		if (kind == 0)
			put_relocatable(0x100000, 0xffffffff, 0x1000, random_below(3));
		else if (kind == 1)
			put_header2();
		else if (kind == 2)
			put_addresses1(0x200800, 0x200000, 0x201000, 0x202000, 0x200010);
		else
			put_header1(0);
		for (uint32_t i = random_below(4) + 1; i--;) {
			uint64_t place = random_below(2) ? HEADER + random_below(64)
			                                 : random_below(64 + 3 * 56);

			if (random_below(2))
				put8(FILE_BASE + place, (uint8_t)random_below(256));
			else
				put32(FILE_BASE + (place & ~3ull), interesting());
		}
		if (!random_below(4))
			rig.boot.modules[0].size = random_below((uint32_t)FILE_SIZE) + 1;
		rig_map();
		rig_any();
		loaded += !rig.error;
	}
	assert_in_range(loaded, 100, 1900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loads_multiboot2),
		TEST(fills_the_information),
		TEST(tells_of_the_screen),
		TEST(tells_of_efi),
		TEST(spares_boot_services),
		TEST(asks_for_enough_memory),
		TEST(keeps_modules_off_the_information),
		TEST(prefers_multiboot1),
		TEST(obeys_header_tags),
		TEST(refuses_broken_headers2),
		TEST(loads_by_address_tag),
		TEST(moves_relocatable_images),
		TEST(survives_random_files),
	};

	return cmocka_run_group_tests_name("load2", tests, NULL, NULL);
}
