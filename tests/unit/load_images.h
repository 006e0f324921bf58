/*
 * Multiboot images to load, made in the arena field by field: for the tests of loading L1 by
 * multiboot1 and by multiboot2. Relies on tests/unit/load_rig.h.
 */
#ifndef TESTS_UNIT_LOAD_IMAGES_H
#define TESTS_UNIT_LOAD_IMAGES_H

#include <elf.h>
#include <stdint.h>

#include "tests/unit/load_rig.h"
#include "tests/unit/load_screen.h"

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

#define HIGH_HALF 0xffffffff80000000ull

void put_header1(uint32_t flags);
void put_addresses1(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end,
                    uint32_t entry);
void end_header2(void);
uint64_t put_tag2(uint16_t type, uint16_t flags, uint32_t size);
void begin_header2(void);
void end_tag2(void);
void put_header2(void);
Elf32_Phdr *segment32(int i);
void put_elf32(void);
Elf64_Ehdr *header64(void);
Elf64_Phdr *segment64(int i);
void put_elf64(void);
int fresh(void **state);

/* The image lies shift above where it was linked. */
void assert_loaded(uint64_t shift);
void assert_entry(uint32_t eip, uint32_t eax);

/* Below 640 KiB, not where an AP's start may lie, and reserved: for all of the structure. */
void assert_in_info(uint64_t base, uint64_t size);
void assert_text(uint32_t gpa, const char *text);

/* A test that begins with a good multiboot1 image. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, rig_free)

#endif
