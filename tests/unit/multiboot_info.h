/*
 * Information as boot loaders leave it, for tests of boot/multiboot.c: what Multiboot 1 and 2 have,
 * a piece at a time. Relies on cmocka and tests/unit/arena.h, whose end the sanitizer guards.
 */
#ifndef TESTS_UNIT_MULTIBOOT_INFO_H
#define TESTS_UNIT_MULTIBOOT_INFO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot.h"
#include "tests/unit/arena.h"

#define MEMORY  0x200000ull
#define INFO    0x9000ull
#define MODULES 0xa000ull
#define MMAP    0xb000ull
#define STRINGS 0xc000ull

/* What the last good() or bad() left; where the next text and the next tag go. */
extern struct boot_info boot;
extern const char *error;
extern uint64_t strings, tags;

/* Memory without anything in it, for each test. */
int multiboot_start(void **state);
int multiboot_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, multiboot_start, multiboot_end)

/* Reads the information at INFO. It must be taken, resp. refused in words with this part. */
void good(uint32_t magic);
void bad(uint32_t magic, const char *part);
const char *boot_line(uint32_t module);
void assert_range(uint32_t i, uint64_t base, uint64_t size, uint32_t type);

/* Returns the address of the text. */
uint32_t put_string(const char *text);

/* Multiboot 1: the last entry of the map and the last module, and what QEMU's -kernel leaves. */
void put_mmap1(uint32_t i, uint64_t base, uint64_t size, uint32_t type);
void put_module1(uint32_t i, uint32_t start, uint32_t end, const char *text);
void put_info1(const char *loader, const char *cmdline, const char *module);

/* Multiboot 2: the next tag, whole. Returns its address. */
uint64_t put_tag(uint32_t type, uint32_t size);
uint64_t put_mmap2(uint32_t entry_size);
void put_line2(const char *text);
void put_module2(uint32_t start, uint32_t end, const char *text);
void put_meminfo2(void);
/* What EFI left. Returns the map's tag, of two descriptors. */
uint64_t put_efi(void);
/* The tag of a framebuffer with numbers of its own everywhere. */
void put_screen2(uint8_t type, uint32_t size);

#endif
