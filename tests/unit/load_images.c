/*
 * Multiboot images to load, made in the arena. Relies on tests/unit/load_rig.h.
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

static uint64_t header_end;

void put_header1(uint32_t flags)
{
	put32(FILE_BASE + HEADER, MULTIBOOT1_HEADER_MAGIC);
	put32(FILE_BASE + HEADER + 4, flags);
	put32(FILE_BASE + HEADER + 8, -(MULTIBOOT1_HEADER_MAGIC + flags));
}

void put_addresses1(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end,
                    uint32_t entry)
{
	put_header1(MULTIBOOT1_ADDRESSES);
	put32(FILE_BASE + HEADER + 12, header);
	put32(FILE_BASE + HEADER + 16, load);
	put32(FILE_BASE + HEADER + 20, load_end);
	put32(FILE_BASE + HEADER + 24, bss_end);
	put32(FILE_BASE + HEADER + 28, entry);
}

void end_header2(void)
{
	uint32_t length = (uint32_t)(header_end - (FILE_BASE + HEADER));

	put32(FILE_BASE + HEADER, MULTIBOOT2_HEADER_MAGIC);
	put32(FILE_BASE + HEADER + 4, 0);
	put32(FILE_BASE + HEADER + 8, length);
	put32(FILE_BASE + HEADER + 12, -(MULTIBOOT2_HEADER_MAGIC + length));
}

uint64_t put_tag2(uint16_t type, uint16_t flags, uint32_t size)
{
	uint64_t tag = header_end;

	put16(tag, type);
	put16(tag + 2, flags);
	put32(tag + 4, size);
	header_end += (size + 7) & ~7u;
	end_header2();
	return tag;
}

void begin_header2(void)
{
	memset(at(FILE_BASE + HEADER), 0, TEXT - HEADER);
	header_end = FILE_BASE + HEADER + 16;
}

void end_tag2(void)
{
	put_tag2(MULTIBOOT2_HEADER_END, 0, 8);
}

void put_header2(void)
{
	begin_header2();
	end_tag2();
}

Elf32_Phdr *segment32(int i)
{
	return (Elf32_Phdr *)at(FILE_BASE + 64) + i;
}

void put_elf32(void)
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

Elf64_Ehdr *header64(void)
{
	return at(FILE_BASE);
}

Elf64_Phdr *segment64(int i)
{
	return (Elf64_Phdr *)at(FILE_BASE + 64) + i;
}

void put_elf64(void)
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

int fresh(void **state)
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
void assert_loaded(uint64_t shift)
{
	const uint8_t *bss = at(DATA_ADDR + DATA_SIZE + shift);

	assert_memory_equal(at(TEXT_ADDR + shift), at(FILE_BASE + TEXT), TEXT_SIZE);
	assert_memory_equal(at(DATA_ADDR + shift), at(FILE_BASE + DATA), DATA_SIZE);
	for (uint32_t i = 0; i < BSS_SIZE; i++)
		assert_int_equal(bss[i], 0);
}

void assert_entry(uint32_t eip, uint32_t eax)
{
	const struct l1_entry *entry = &rig.result.entry;

	assert_int_equal(entry->eip, eip);
	assert_int_equal(entry->eax, eax);
	assert_int_equal(entry->cs, 0x08);
	assert_int_equal(entry->ds, 0x10);
	assert_int_equal(entry->gdt_base, 0);
}

/* Below 640 KiB, not where an AP's start may lie, and reserved: for all of the structure. */
void assert_in_info(uint64_t base, uint64_t size)
{
	assert_in_range(base, 0x10000, RIG_LOWER_END - 1);
	assert_in_range(base + size, 0x10000, RIG_LOWER_END);
	assert_true(memmap_covers(&rig.map, base, size, MEM_RESERVED));
}

void assert_text(uint32_t gpa, const char *text)
{
	assert_in_info(gpa, strlen(text) + 1);
	assert_string_equal(at(gpa), text);
}
