/*
 * Loading L1 as multiboot1 and multiboot2: every field that L1 reads, every way to be broken.
 * Relies on cmocka and tests/unit/load_rig.h.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot.h"
#include "tests/unit/arena.h"
#include "tests/unit/load_rig.h"

#define FILE_BASE RIG_STAGE
#define FILE_SIZE 0x3000ull
#define HEADER    0x800ull  /* in the file: multiboot's */
#define TEXT      0x1000ull /* in the file: first segment */
#define DATA      0x2004ull /* second */

#define TEXT_ADDR 0x100000u
#define TEXT_SIZE 0x800u
#define DATA_ADDR 0x102010u /* not page aligned */
#define DATA_SIZE 0x123u
#define BSS_SIZE  0x5000u
#define ENTRY     (TEXT_ADDR + 0x10)
#define IMAGE_END ((DATA_ADDR + DATA_SIZE + BSS_SIZE + 0xfff) & ~0xfffu)

static uint64_t header_end;

static void put_header1(uint32_t flags)
{
	put32(FILE_BASE + HEADER, MULTIBOOT1_HEADER_MAGIC);
	put32(FILE_BASE + HEADER + 4, flags);
	put32(FILE_BASE + HEADER + 8, -(MULTIBOOT1_HEADER_MAGIC + flags));
}

static void put_addresses1(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end,
                           uint32_t entry)
{
	put_header1(MULTIBOOT1_ADDRESSES);
	put32(FILE_BASE + HEADER + 12, header);
	put32(FILE_BASE + HEADER + 16, load);
	put32(FILE_BASE + HEADER + 20, load_end);
	put32(FILE_BASE + HEADER + 24, bss_end);
	put32(FILE_BASE + HEADER + 28, entry);
}

static void end_header2(void)
{
	uint32_t length = (uint32_t)(header_end - (FILE_BASE + HEADER));

	put32(FILE_BASE + HEADER, MULTIBOOT2_HEADER_MAGIC);
	put32(FILE_BASE + HEADER + 4, 0);
	put32(FILE_BASE + HEADER + 8, length);
	put32(FILE_BASE + HEADER + 12, -(MULTIBOOT2_HEADER_MAGIC + length));
}

static uint64_t put_tag2(uint16_t type, uint16_t flags, uint32_t size)
{
	uint64_t tag = header_end;

	put16(tag, type);
	put16(tag + 2, flags);
	put32(tag + 4, size);
	header_end += (size + 7) & ~7u;
	end_header2();
	return tag;
}

static void begin_header2(void)
{
	memset(at(FILE_BASE + HEADER), 0, TEXT - HEADER);
	header_end = FILE_BASE + HEADER + 16;
}

static void end_tag2(void)
{
	put_tag2(MULTIBOOT2_HEADER_END, 0, 8);
}

static void put_header2(void)
{
	begin_header2();
	end_tag2();
}

static Elf32_Phdr *segment32(int i)
{
	return (Elf32_Phdr *)at(FILE_BASE + 64) + i;
}

static void put_elf32(void)
{
	static const Elf32_Ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = ENTRY,
		.e_phoff = 64,
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 3,
	};

	memset(at(FILE_BASE), 0, HEADER);
	memcpy(at(FILE_BASE), &header, sizeof(header));
	*segment32(0) = (Elf32_Phdr){PT_NOTE, 0xffffffff, 0, 0, 0xffffffff, 1, 0, 0};
	*segment32(1) =
		(Elf32_Phdr){PT_LOAD, TEXT, TEXT_ADDR, TEXT_ADDR, TEXT_SIZE, TEXT_SIZE, PF_R, 4096};
	*segment32(2) = (Elf32_Phdr){
		PT_LOAD, DATA, DATA_ADDR, DATA_ADDR, DATA_SIZE, DATA_SIZE + BSS_SIZE, PF_R, 4};
}

static Elf64_Ehdr *header64(void)
{
	return at(FILE_BASE);
}

static Elf64_Phdr *segment64(int i)
{
	return (Elf64_Phdr *)at(FILE_BASE + 64) + i;
}

#define HIGH_HALF 0xffffffff80000000ull

static void put_elf64(void)
{
	static const Elf64_Ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = HIGH_HALF + ENTRY,
		.e_phoff = 64,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};

	memset(at(FILE_BASE), 0, HEADER);
	memcpy(at(FILE_BASE), &header, sizeof(header));
	*segment64(0) = (Elf64_Phdr){.p_type = PT_LOAD,
	                             .p_offset = TEXT,
	                             .p_vaddr = HIGH_HALF + TEXT_ADDR,
	                             .p_paddr = TEXT_ADDR,
	                             .p_filesz = TEXT_SIZE,
	                             .p_memsz = TEXT_SIZE};
	*segment64(1) = (Elf64_Phdr){.p_type = PT_LOAD,
	                             .p_offset = DATA,
	                             .p_vaddr = HIGH_HALF + DATA_ADDR,
	                             .p_paddr = DATA_ADDR,
	                             .p_filesz = DATA_SIZE,
	                             .p_memsz = DATA_SIZE + BSS_SIZE};
}

static void put_code(void)
{
	for (uint64_t i = TEXT; i < FILE_SIZE; i++)
		put8(FILE_BASE + i, (uint8_t)(i * 13 + i / 256 + 1));
}

static int fresh(void **state)
{
	rig_new(state);
	rig_add_module(FILE_BASE, FILE_SIZE, "pae.elf  one two");
	put_code();
	put_elf32();
	put_header1(0);
	/* What a boot before this one left: bss must not show it. */
	memset(at(RIG_UPPER), 0xaa, 0x20000);
	return 0;
}

/* The image lies shift above where it was linked. */
static void assert_loaded(uint64_t shift)
{
	const uint8_t *bss = at(DATA_ADDR + DATA_SIZE + shift);

	assert_memory_equal(at(TEXT_ADDR + shift), at(FILE_BASE + TEXT), TEXT_SIZE);
	assert_memory_equal(at(DATA_ADDR + shift), at(FILE_BASE + DATA), DATA_SIZE);
	for (uint32_t i = 0; i < BSS_SIZE; i++)
		assert_int_equal(bss[i], 0);
}

static void assert_entry(uint32_t eip, uint32_t eax)
{
	const struct l1_entry *entry = &rig.result.entry;

	assert_int_equal(entry->eip, eip);
	assert_int_equal(entry->eax, eax);
	assert_int_equal(entry->cs, 0x08);
	assert_int_equal(entry->ds, 0x10);
	assert_int_equal(entry->gdt_base, 0);
}

/* Below 640 KiB, not where an AP's start may lie, and reserved: for all of the structure. */
static void assert_in_info(uint64_t base, uint64_t size)
{
	assert_in_range(base, 0x10000, RIG_LOWER_END - 1);
	assert_in_range(base + size, 0x10000, RIG_LOWER_END);
	assert_true(memmap_covers(&rig.map, base, size, MEM_RESERVED));
}

static void assert_text(uint32_t gpa, const char *text)
{
	assert_in_info(gpa, strlen(text) + 1);
	assert_string_equal(at(gpa), text);
}

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
	rig.modules[0].size = HEADER + 31;
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
		rig.modules[0].size = size;
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
	rig.modules[0].base = RIG_MEMORY - 40;
	rig.modules[0].size = 40;
	rig_bad(LOAD_TRUNCATED, "ELF header");
	rig.modules[0].base = FILE_BASE;
	cuts(1, 64);
	cuts(0x7f0, 0x880);
	for (uint64_t size = 1; size < 0x880; size += size < 0x120 || size > 0x7f0 ? 1 : 0x40) {
		memmove(at(RIG_MEMORY - size), at(FILE_BASE), size);
		rig.modules[0].base = RIG_MEMORY - size;
		rig.modules[0].size = size;
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
	rig.module_count = 0;
	rig_bad(LOAD_MISSING, "there is no L1");
	rig.module_count = BOOT_MAX_MODULES + 1;
	rig_bad(LOAD_FORMAT, "more than 7 modules");
	rig.module_count = 1;
	rig.modules[0].size = 0;
	rig_bad(LOAD_TRUNCATED, "empty");
	rig.modules[0].size = FILE_SIZE;
	put32(FILE_BASE + HEADER + 8, 0);
	rig_bad(LOAD_FORMAT, "without a multiboot header");
	memset(at(FILE_BASE), 0, 16);
	rig_bad(LOAD_FORMAT, "no known format");
	put16(FILE_BASE, 0x8b1f);
	rig_bad(LOAD_FORMAT, "gzip");
	rig.modules[0].size = 1;
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
	rig.modules[1].size = 0x14000;
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
	rig_good();
	mods = get32(rig.result.entry.ebx + 24);
	assert_int_equal(get32(mods), IMAGE_END);
	assert_int_equal(get32(mods + 4), IMAGE_END);
}

static void shows_acpi(void **state)
{
	uint64_t ebda;

	(void)state;
	rig.rsdp = 0xf0000;
	put_rsdp(rig.rsdp, 2, 0x1234, 0x5678);
	rig_good();
	assert_int_equal(get16(0x40e), 0); /* L1 searches there */
	rig.rsdp = RIG_STAGE - 0x1000;
	put_rsdp(rig.rsdp, 2, 0x1234, 0x5678);
	rig_map();
	rig_good();
	ebda = (uint64_t)get16(0x40e) << 4;
	assert_in_info(ebda, 1024);
	assert_int_equal(*(uint8_t *)at(ebda), 1);
	assert_memory_equal(at(ebda + 16), at(rig.rsdp), 36);
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
	rig.rsdp = 0x3000;
	put_rsdp(rig.rsdp, 2, 0x1234, 0x5678);
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
	assert_memory_equal(find_tag(MULTIBOOT2_TAG_ACPI_OLD, 0) + 8, at(rig.rsdp), 20);
	assert_memory_equal(find_tag(MULTIBOOT2_TAG_ACPI_NEW, 0) + 8, at(rig.rsdp), 36);
	assert_null(find_tag(MULTIBOOT2_TAG_LOAD_BASE, 0));
	put_rsdp(rig.rsdp, 0, 0x1234, 0);
	rig_map();
	rig_good();
	assert_non_null(find_tag(MULTIBOOT2_TAG_ACPI_OLD, 0));
	assert_null(find_tag(MULTIBOOT2_TAG_ACPI_NEW, 0));
}

static void fills_the_information(void **state)
{
	char line[BOOT_CMDLINE_SIZE];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	put_header2();
	strcpy(rig.modules[0].cmdline, line);
	rig.modules[0].cmdline[1] = ' ';
	for (size_t i = 1; i < BOOT_MAX_MODULES; i++)
		rig_add_module(RIG_INITRD, 1, line);
	for (uint64_t i = 0; rig.map.count < BOOT_MAX_RANGES - 10; i++)
		assert_true(memmap_add(&rig.map, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE));
	rig.rsdp = 0x3000;
	put_rsdp(rig.rsdp, 2, 0, 0);
	rig_good();
	assert_int_equal(strlen((const char *)find_tag(MULTIBOOT2_TAG_CMDLINE, 0) + 8), 2045);
	assert_string_equal(find_tag(MULTIBOOT2_TAG_MODULE, 6) + 16, line);
	put_header1(0);
	put_elf32();
	memmap_add(&rig.map, 0x400, 0x1000, MEM_USABLE);
	rig_good();
	assert_text(get32(get32(rig.result.entry.ebx + 24) + 6 * 16 + 8), line);
}

/* With every length of a line, the last string still ends in what was reserved. */
static void asks_for_enough_memory(void **state)
{
	(void)state;
	rig.rsdp = RIG_STAGE - 0x1000;
	put_rsdp(rig.rsdp, 2, 0x1234, 0x5678);
	for (size_t length = 1; length < BOOT_CMDLINE_SIZE; length++) {
		memset(rig.modules[0].cmdline, 'x', length);
		rig.modules[0].cmdline[length] = '\0';
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
	rig.modules[1].size = 0x6000;
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
	for (int round = 0; round < 10000; round++) {
		uint32_t kind = random_below(5);

		rig.modules[0].size = FILE_SIZE;
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
			rig.modules[0].size = random_below((uint32_t)FILE_SIZE) + 1;
		rig_map();
		rig_any();
		loaded += !rig.error;
	}
	assert_in_range(loaded, 500, 9500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, rig_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loads_multiboot1),
		TEST(does_without_page_0),
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
		TEST(loads_multiboot2),
		TEST(fills_the_information),
		TEST(asks_for_enough_memory),
		TEST(keeps_modules_off_the_information),
		TEST(prefers_multiboot1),
		TEST(obeys_header_tags),
		TEST(refuses_broken_headers2),
		TEST(loads_by_address_tag),
		TEST(moves_relocatable_images),
		TEST(survives_random_files),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
