/*
 * Loading L1 as multiboot1: every field that L1 reads, every way to be broken.
 * Relies on cmocka and tests/unit/load_images.h.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot.h"
#include "tests/unit/arena.h"
#include "tests/unit/load_images.h"

static void loads_multiboot1(void **state)
{
	struct multiboot1_info info;
	struct multiboot1_module module;
	struct multiboot1_mmap mmap;

	(void)state;
	rig_add_module(RIG_INITRD, 0x2345, "first a b");
	rig_add_module(RIG_INITRD2, 0x10, "");
	rig_good();
	assert_string_equal(rig.result.protocol, "multiboot1");
	assert_loaded(0);
	assert_entry(ENTRY, MULTIBOOT1_BOOT_MAGIC);

	assert_in_info(rig.result.entry.ebx, sizeof(info));
	memcpy(&info, at(rig.result.entry.ebx), sizeof(info));
	assert_int_equal(info.flags, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_text(info.cmdline, "pae.elf  one two");
	assert_text(info.boot_loader_name, "Nestling");
	assert_int_equal(info.mem_upper, (RIG_L0 - RIG_UPPER) >> 10);

	assert_int_equal(info.mods_count, 2);
	assert_in_info(info.mods_addr, 2 * sizeof(module));
	memcpy(&module, at(info.mods_addr), sizeof(module));
	assert_int_equal(module.mod_start, IMAGE_END);
	assert_int_equal(module.mod_end, IMAGE_END + 0x2345);
	assert_true(rig_is_module(module.mod_start, 1));
	assert_text(module.string, "first a b");
	memcpy(&module, at(info.mods_addr + sizeof(module)), sizeof(module));
	assert_int_equal(module.mod_start, IMAGE_END + 0x3000);
	assert_int_equal(module.mod_end, IMAGE_END + 0x3010);
	assert_true(rig_is_module(module.mod_start, 2));
	assert_text(module.string, "");

	/* The information itself is the reserved range below the firmware's: they are merged. */
	assert_int_equal(info.mmap_length, 5 * sizeof(mmap));
	assert_in_info(info.mmap_addr, info.mmap_length);
	for (uint32_t i = 0; i < 5; i++) {
		memcpy(&mmap, at(info.mmap_addr + i * sizeof(mmap)), sizeof(mmap));
		assert_int_equal(mmap.size, 20);
		assert_int_equal(mmap.addr, rig.map.range[i].base);
		assert_int_equal(mmap.len, rig.map.range[i].size);
		assert_int_equal(mmap.type, rig.map.range[i].type);
	}
	memcpy(&mmap, at(info.mmap_addr), sizeof(mmap));
	assert_int_equal(mmap.type, MEM_USABLE);
	assert_int_equal(info.mem_lower, mmap.len >> 10);
	assert_true(mmap.len < RIG_LOWER_END);
	/* L1 is told that the stage is free. */
	assert_true(memmap_covers(&rig.map, RIG_STAGE, RIG_STAGE_SIZE, MEM_USABLE));
}

/* The fields behind 88 bytes, by their offsets (Multiboot 3.3; the colours: GRUB). */
static void tells_of_the_screen(void **state)
{
	static const uint8_t colors[] = {16, 8, 8, 7, 1, 6};
	uint64_t info;

	(void)state;
	rig_good();
	assert_int_equal(get32(rig.result.entry.ebx) & 1 << 12, 0);
	put_screen();
	rig_map();
	rig_good();
	info = rig.result.entry.ebx;
	assert_int_equal(get32(info), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9 | 1 << 12);
	assert_int_equal(get64(info + 88), 0x4080000000);
	assert_int_equal(get32(info + 96), 4352);
	assert_int_equal(get32(info + 100), 1024);
	assert_int_equal(get32(info + 104), 768);
	assert_int_equal(get16(info + 108), 1 << 8 | 32);
	assert_memory_equal(at(info + 112), colors, sizeof(colors)); /* as GRUB has it */
	put_text_screen();
	rig_map();
	rig_good();
	info = rig.result.entry.ebx;
	assert_int_equal(get64(info + 88), 0xb8000);
	assert_int_equal(get32(info + 100), 80);
	assert_int_equal(get16(info + 108), 2 << 8 | 16);
}

static void does_without_page_0(void **state)
{
	(void)state;
	assert_true(memmap_add(&rig.map, 0, 0x1000, MEM_RESERVED));
	rig_good();
	assert_true(get32(rig.result.entry.ebx + 4) > 500);
	assert_true(memmap_add(&rig.map, 0x1000, 0x1000, MEM_RESERVED));
	rig_good();
	assert_int_equal(get32(rig.result.entry.ebx + 4), 0);
}

static void accepts_usual_flags(void **state)
{
	(void)state;
	put_header1(1 << 0 | 1 << 1 | 1 << 2 | 1 << 20);
	rig_good();
	put_header1(1 << 3);
	rig_bad(LOAD_FORMAT, "flags 15:3");
	put_header1(1 << 15);
	rig_bad(LOAD_FORMAT, "flags 15:3");
}

static void loads_low_images(void **state)
{
	(void)state;
	segment32(1)->p_paddr = segment32(1)->p_vaddr = 0;
	((Elf32_Ehdr *)at(FILE_BASE))->e_entry = 0x20;
	segment32(2)->p_type = PT_NOTE;
	rig_good();
	assert_memory_equal(at(0), at(FILE_BASE + TEXT), TEXT_SIZE);
	assert_int_equal(rig.result.entry.eip, 0x20);
}

static void translates_entries(void **state)
{
	(void)state;
	put_elf64();
	rig_good();
	assert_loaded(0);
	assert_entry(ENTRY, MULTIBOOT1_BOOT_MAGIC);
	header64()->e_entry = ENTRY + 4;
	rig_map();
	rig_good();
	assert_entry(ENTRY + 4, MULTIBOOT1_BOOT_MAGIC);
	header64()->e_entry = HIGH_HALF + TEXT_ADDR + TEXT_SIZE;
	rig_bad(LOAD_FORMAT, "entry");
	header64()->e_entry = TEXT_ADDR - 1;
	rig_bad(LOAD_FORMAT, "entry");
}

static void loads_by_address_fields(void **state)
{
	const uint32_t load = 0x200000, header = load + HEADER - 0x400; /* from 0x400 in the file */
	const uint32_t end = (uint32_t)FILE_SIZE - 0x400;

	(void)state;
	put_addresses1(header, load, load + 0x1000, load + 0x1800, load + 0x44);
	memset(at(load), 0xaa, 0x4000);
	rig_good();
	assert_memory_equal(at(load), at(FILE_BASE + 0x400), 0x1000);
	for (uint32_t i = 0x1000; i < 0x1800; i += 4)
		assert_int_equal(get32(load + i), 0);
	assert_int_equal(get32(load + 0x1800), 0xaaaaaaaa);
	assert_entry(load + 0x44, MULTIBOOT1_BOOT_MAGIC);
	put_addresses1(header, load, 0, 0, load);
	rig_map();
	rig_good();
	assert_memory_equal(at(load), at(FILE_BASE + 0x400), end);
	assert_int_equal(get32(load + end), 0xaaaaaaaa);

	put_addresses1(load - 1, load, 0, 0, load);
	rig_bad(LOAD_FORMAT, "before the file");
	put_addresses1(load + HEADER + 1, load, 0, 0, load);
	rig_bad(LOAD_FORMAT, "before the file");
	put_addresses1(header, load, load - 1, 0, load);
	rig_bad(LOAD_FORMAT, "load_end_addr");
	put_addresses1(header, load, load + end + 1, 0, load);
	rig_bad(LOAD_TRUNCATED, "segments");
	put_addresses1(header, load, load + 0x1000, load + 0xfff, load);
	rig_bad(LOAD_FORMAT, "bss_end_addr");
	put_addresses1(header, load, load, load, load);
	rig_bad(LOAD_FORMAT, "nothing to load");
	put_addresses1(header, load, 0, 0, load - 1);
	rig_bad(LOAD_FORMAT, "entry");
	put_addresses1(header, load, 0, 0, load + end);
	rig_bad(LOAD_FORMAT, "entry");
	rig.boot.modules[0].size = HEADER + 31;
	rig_bad(LOAD_TRUNCATED, "multiboot header");
}

static void refuses_broken_elfs(void **state)
{
	Elf32_Ehdr *header = at(FILE_BASE);

	(void)state;
	header->e_ident[EI_CLASS] = 3;
	rig_bad(LOAD_FORMAT, "class");
	put_elf32();
	header->e_ident[EI_DATA] = ELFDATA2MSB;
	rig_bad(LOAD_FORMAT, "byte order");
	put_elf32();
	header->e_machine = EM_ARM;
	rig_bad(LOAD_FORMAT, "another processor");
	put_elf32();
	header->e_phnum = 0;
	rig_bad(LOAD_FORMAT, "without program headers");
	header->e_phnum = 0xffff;
	rig_bad(LOAD_FORMAT, "without program headers");
	header->e_phnum = 0xfffe;
	rig_bad(LOAD_TRUNCATED, "program headers");
	put_elf32();
	header->e_phentsize = sizeof(Elf32_Phdr) - 1;
	rig_bad(LOAD_FORMAT, "without program headers");
	put_elf32();
	header->e_phoff = 0xffffffff;
	rig_bad(LOAD_TRUNCATED, "program headers");
	header->e_phoff = (uint32_t)FILE_SIZE - 3 * sizeof(Elf32_Phdr) + 1;
	rig_bad(LOAD_TRUNCATED, "program headers");
	put_elf64();
	header64()->e_phoff = UINT64_MAX - 8;
	rig_bad(LOAD_TRUNCATED, "program headers");
	put_elf64();
	segment64(0)->p_type = segment64(1)->p_type = PT_NULL;
	rig_bad(LOAD_FORMAT, "nothing to load");
	memset(at(FILE_BASE), 0, 16);
	rig_bad(LOAD_FORMAT, "no ELF");
}

static void refuses_broken_segments(void **state)
{
	(void)state;
	segment32(1)->p_offset = (uint32_t)FILE_SIZE - TEXT_SIZE + 1;
	rig_bad(LOAD_TRUNCATED, "segments");
	segment32(1)->p_offset = 0xffffffff;
	rig_bad(LOAD_TRUNCATED, "segments");
	put_elf32();
	segment32(1)->p_memsz = TEXT_SIZE - 1;
	rig_bad(LOAD_FORMAT, "larger in the file");
	put_elf32();
	segment32(1)->p_memsz = 0;
	rig_bad(LOAD_FORMAT, "larger in the file");
	put_elf32();
	segment32(2)->p_paddr = 0xffffff00;
	rig_bad(LOAD_OCCUPIED, "beyond 4 GiB");
	put_elf64();
	segment64(0)->p_memsz = UINT64_MAX;
	rig_bad(LOAD_OCCUPIED, "beyond 4 GiB");
	put_elf64();
	segment64(0)->p_paddr = 1ull << 32;
	rig_bad(LOAD_OCCUPIED, "beyond 4 GiB");
	put_elf64();
	segment64(0)->p_filesz = UINT64_MAX;
	rig_bad(LOAD_TRUNCATED, "segments");
}

static void cuts(uint64_t from, uint64_t to)
{
	for (uint64_t size = from; size < to; size++) {
		rig.boot.modules[0].size = size;
		rig_map();
		rig_any();
		assert_int_not_equal(rig.error, LOAD_OK);
	}
}

/* Cut anywhere, with the file's end where the sanitizer sees one byte too many being read. */
static void refuses_every_cut(void **state)
{
	(void)state;
	segment32(1)->p_offset = 0x840;
	segment32(1)->p_filesz = segment32(1)->p_memsz = 0x40;
	segment32(2)->p_offset = 0x820;
	segment32(2)->p_filesz = 0x20;
	rig_good();
	/* A multiboot header within an ELF header of which the end is missing. */
	memcpy(at(RIG_MEMORY - 40), at(FILE_BASE), 16);
	memcpy(at(RIG_MEMORY - 40 + 20), at(FILE_BASE + HEADER), 12);
	rig.boot.modules[0].base = RIG_MEMORY - 40;
	rig.boot.modules[0].size = 40;
	rig_bad(LOAD_TRUNCATED, "ELF header");
	rig.boot.modules[0].base = FILE_BASE;
	cuts(1, 64);
	cuts(0x7f0, 0x880);
	for (uint64_t size = 1; size < 0x880; size += size < 0x120 || size > 0x7f0 ? 1 : 0x40) {
		memmove(at(RIG_MEMORY - size), at(FILE_BASE), size);
		rig.boot.modules[0].base = RIG_MEMORY - size;
		rig.boot.modules[0].size = size;
		rig_map();
		rig_any();
		assert_int_not_equal(rig.error, LOAD_OK);
	}
}

static void keeps_off_what_is_taken(void **state)
{
	static const uint32_t places[] = {
		(uint32_t)RIG_L0,
		(uint32_t)RIG_L0 - 4,
		(uint32_t)RIG_STAGE - 4,
		(uint32_t)RIG_STAGE + 0x10000,
		(uint32_t)RIG_MEMORY,
		(uint32_t)RIG_MEMORY - 4,
		(uint32_t)RIG_LOWER_END,
		(uint32_t)RIG_LOWER_END - 4,
		0xa0000,
		0xfffff,
		0xfee00000,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		segment32(2)->p_paddr = places[i];
		rig_bad(LOAD_OCCUPIED, "not free");
	}
}

static void says_what_is_missing(void **state)
{
	(void)state;
	rig.boot.module_count = 0;
	rig_bad(LOAD_MISSING, "there is no L1");
	rig.boot.module_count = 1;
	rig.boot.modules[0].size = 0;
	rig_bad(LOAD_TRUNCATED, "empty");
	rig.boot.modules[0].size = FILE_SIZE;
	put32(FILE_BASE + HEADER + 8, 0);
	rig_bad(LOAD_FORMAT, "without a multiboot header");
	memset(at(FILE_BASE), 0, 16);
	rig_bad(LOAD_FORMAT, "no known format");
	put16(FILE_BASE, 0x8b1f);
	rig_bad(LOAD_FORMAT, "gzip");
	rig.boot.modules[0].size = 1;
	rig_bad(LOAD_FORMAT, "no known format");
}

/* All of the low memory that the image leaves free is below 64 KiB. */
static void needs_room_for_information(void **state)
{
	(void)state;
	segment32(2)->p_paddr = 0xf000;
	segment32(2)->p_memsz = (uint32_t)RIG_LOWER_END - 0xf000;
	rig_bad(LOAD_NO_MEMORY, "0 KiB are free");
	segment32(2)->p_memsz -= 0x800;
	rig_bad(LOAD_NO_MEMORY, "2 KiB are free");
	segment32(2)->p_memsz -= 0x4000;
	rig_map();
	rig_good();
	assert_in_info(rig.result.entry.ebx, sizeof(struct multiboot1_info));
	assert_true(rig.result.entry.ebx >= 0xf000 + segment32(2)->p_memsz);
}

static void needs_room_in_the_map(void **state)
{
	(void)state;
	/* The last range: the hole in the lower memory splits it, and two more are too many. */
	for (uint64_t i = 0; rig.map.count < BOOT_MAX_RANGES; i++)
		assert_true(memmap_add(&rig.map, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE));
	rig_any();
	assert_int_equal(rig.error, LOAD_NO_MEMORY);
}

static void moves_modules_out_of_the_way(void **state)
{
	uint64_t mods;

	(void)state;
	rig_add_module(RIG_INITRD, 0x3000, "a");
	rig_add_module(RIG_INITRD2, 0x1001, "b");
	/* Behind the image there are 0x4000 bytes before L0. */
	segment32(2)->p_paddr = (uint32_t)RIG_L0 - 0x4000 - DATA_SIZE - BSS_SIZE - 0x10;
	rig_good();
	mods = get32(rig.result.entry.ebx + 24);
	assert_int_equal(get32(mods), RIG_STAGE - 0x3000);
	assert_true(rig_is_module(get32(mods), 1));
	assert_int_equal(get32(mods + 16), RIG_STAGE - 0x5000);
	assert_true(rig_is_module(get32(mods + 16), 2));

	/* L1 takes all but 64 KiB. */
	segment32(2)->p_paddr = 0x102000;
	segment32(2)->p_memsz = (uint32_t)RIG_L0 - 0x102000 - 0x10000;
	memmap_add(&rig.map, RIG_L0 + RIG_L0_SIZE, RIG_STAGE - RIG_L0 - RIG_L0_SIZE, MEM_RESERVED);
	rig.boot.modules[1].size = 0x14000;
	rig_any();
	assert_int_equal(rig.error, LOAD_NO_MEMORY);
	assert_non_null(strstr(rig.result.message, "module 1 needs 80 KiB"));
	assert_non_null(strstr(rig.result.message, "where 64 KiB are free"));
	assert_non_null(strstr(rig.result.message, "at least 16 KiB"));
}

static void gives_empty_modules_a_place(void **state)
{
	uint64_t mods;

	(void)state;
	rig_add_module(RIG_INITRD, 0, "a");
	rig_add_module(RIG_INITRD2, 0x10, "b");
	rig_good();
	mods = get32(rig.result.entry.ebx + 24);
	assert_int_equal(get32(mods), IMAGE_END);
	assert_int_equal(get32(mods + 4), IMAGE_END);
	assert_int_equal(get32(mods + 16), IMAGE_END + 0x1000); /* on a page, too */
}

static void shows_acpi(void **state)
{
	uint64_t ebda;

	(void)state;
	rig.boot.rsdp = 0xf0000;
	put_rsdp(rig.boot.rsdp, 2, 0x1234, 0x5678);
	rig_good();
	assert_int_equal(get16(0x40e), 0); /* L1 searches there */
	rig.boot.rsdp = RIG_STAGE - 0x1000;
	put_rsdp(rig.boot.rsdp, 2, 0x1234, 0x5678);
	rig_map();
	rig_good();
	ebda = (uint64_t)get16(0x40e) << 4;
	assert_in_info(ebda, 1024);
	assert_int_equal(*(uint8_t *)at(ebda), 1);
	assert_memory_equal(at(ebda + 16), at(rig.boot.rsdp), 36);
	assert_true(rig.result.entry.ebx >= ebda + 1024);
	/* Page 0 is not ours to write to. */
	put16(0x40e, 0);
	memmap_add(&rig.map, 0, 0x1000, MEM_RESERVED);
	rig_good();
	assert_int_equal(get16(0x40e), 0);
	/* L1's own image lies there. */
	rig_map();
	segment32(1)->p_paddr = segment32(1)->p_vaddr = 0;
	((Elf32_Ehdr *)at(FILE_BASE))->e_entry = 0x20;
	rig_good();
	assert_memory_equal(at(0), at(FILE_BASE + TEXT), TEXT_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loads_multiboot1),
		TEST(does_without_page_0),
		TEST(tells_of_the_screen),
		TEST(accepts_usual_flags),
		TEST(loads_low_images),
		TEST(translates_entries),
		TEST(loads_by_address_fields),
		TEST(refuses_broken_elfs),
		TEST(refuses_broken_segments),
		TEST(refuses_every_cut),
		TEST(keeps_off_what_is_taken),
		TEST(says_what_is_missing),
		TEST(needs_room_for_information),
		TEST(needs_room_in_the_map),
		TEST(moves_modules_out_of_the_way),
		TEST(gives_empty_modules_a_place),
		TEST(shows_acpi),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
