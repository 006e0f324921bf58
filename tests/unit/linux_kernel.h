/*
 * A bzImage, and what the tests of loading it as L1 share. Offsets are those of boot.rst and
 * zero-page.rst, apart from the loader's. Relies on cmocka and tests/unit/load_rig.h.
 */
#ifndef TESTS_UNIT_LINUX_KERNEL_H
#define TESTS_UNIT_LINUX_KERNEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/arena.h"
#include "boot/efi_map.h"
#include "tests/unit/load_rig.h"
#include "tests/unit/load_screen.h"

#define FILE_BASE RIG_STAGE
#define SETUP     0x800u  /* bytes: 3 sectors and the first */
#define CODE      0x4000u /* bytes */
#define FILE_SIZE (SETUP + CODE)
#define INIT_SIZE 0x20000u
#define PREFERRED 0x200000u
#define ALIGNMENT 0x10000u

static uint64_t params;

static inline void put_kernel(void)
{
	memset(at(FILE_BASE), 0, SETUP);
	for (uint32_t i = SETUP; i < FILE_SIZE; i++)
		put8(FILE_BASE + i, (uint8_t)(i * 13 + i / 256 + 1));
	put8(FILE_BASE + 0x1f1, 3);
	put32(FILE_BASE + 0x1f4, CODE / 16);
	put16(FILE_BASE + 0x1fa, 0x1234);
	put16(FILE_BASE + 0x1fe, 0xaa55);
	put16(FILE_BASE + 0x200, 0x66eb);
	put_text(FILE_BASE + 0x202, "HdrS");
	put16(FILE_BASE + 0x206, 0x020f);
	put8(FILE_BASE + 0x211, 0x01);
	put32(FILE_BASE + 0x214, 0x100000);
	put32(FILE_BASE + 0x218, 0x1111);
	put32(FILE_BASE + 0x21c, 0x2222);
	put8(FILE_BASE + 0x226, 0x33);
	put8(FILE_BASE + 0x227, 0x44);
	put32(FILE_BASE + 0x22c, 0x7fffffff);
	put32(FILE_BASE + 0x230, ALIGNMENT);
	put8(FILE_BASE + 0x234, 1);
	put32(FILE_BASE + 0x238, 2047);
	put64(FILE_BASE + 0x250, 0x5555);
	put64(FILE_BASE + 0x258, PREFERRED);
	put32(FILE_BASE + 0x260, INIT_SIZE);
	put32(FILE_BASE + 0x264, 0x6666);
	put32(FILE_BASE + 0x268, 0x99999999); /* behind the header: not to be copied */
	memset(at(FILE_BASE), 0xcd, 0x1f1);
}

static inline int fresh(void **state)
{
	rig_new(state);
	rig_add_module(FILE_BASE, FILE_SIZE, "vmlinuz console=ttyS0  quiet");
	put_kernel();
	return 0;
}

static inline void load(void)
{
	rig_map();
	rig_good();
	params = rig.result.entry.esi;
	assert_string_equal(rig.result.protocol, "Linux");
}

static inline void assert_loaded_at(uint64_t place)
{
	assert_int_equal(rig.result.entry.eip, place);
	assert_int_equal(get32(params + 0x214), place);
	assert_memory_equal(at(place), at(FILE_BASE + SETUP), CODE);
}

static inline void assert_in_info(uint64_t base, uint64_t size)
{
	assert_in_range(base, 0x10000, RIG_LOWER_END - 1);
	assert_in_range(base + size, 0x10000, RIG_LOWER_END);
	assert_true(memmap_covers(&rig.map, base, size, MEM_RESERVED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, rig_free)

#endif
