/*
 * boot/multiboot.c: both protocols' information, whole, cut short and hostile. Relies on cmocka
 * and tests/unit/arena.h, whose end the sanitizer guards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot.h"
#include "tests/unit/arena.h"

#define MEMORY  0x200000ull
#define INFO    0x9000ull
#define MODULES 0xa000ull
#define MMAP    0xb000ull
#define STRINGS 0xc000ull

static struct boot_info boot;
static const char *error;
static uint64_t strings, tags;

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	strings = STRINGS;
	tags = INFO + 8;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

static uint32_t put_string(const char *text)
{
	uint64_t place = strings;

	put_text(place, text);
	strings += strlen(text) + 1;
	return (uint32_t)place;
}

static void good(uint32_t magic)
{
	memset(&boot, 0xff, sizeof(boot));
	error = boot_info_from_multiboot(magic, INFO, &boot);
	if (error)
		fail_msg("%s", error);
}

static void bad(uint32_t magic, const char *part)
{
	error = boot_info_from_multiboot(magic, INFO, &boot);
	assert_non_null(error);
	assert_non_null(strstr(error, part));
	assert_null(strchr(error, '\n'));
}

static void assert_range(uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
	assert_true(i < boot.range_count);
	assert_int_equal(boot.ranges[i].base, base);
	assert_int_equal(boot.ranges[i].size, size);
	assert_int_equal(boot.ranges[i].type, type);
}

static void put_mmap1(uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
	uint64_t entry = MMAP + (uint64_t)i * 24;

	put32(entry, 20);
	put64(entry + 4, base);
	put64(entry + 12, size);
	put32(entry + 20, type);
	put32(INFO + 44, (i + 1) * 24);
}

static void put_module1(uint32_t i, uint32_t start, uint32_t end, const char *text)
{
	put32(MODULES + (uint64_t)i * 16, start);
	put32(MODULES + (uint64_t)i * 16 + 4, end);
	put32(MODULES + (uint64_t)i * 16 + 8, text ? put_string(text) : 0);
	put32(INFO + 20, i + 1);
}

/* What QEMU's -kernel leaves. */
static void put_info1(const char *loader, const char *cmdline, const char *module)
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

static void reads_multiboot1(void **state)
{
	(void)state;
	put_rsdp(0xf0010, 0, 0, 0);
	put_info1("qemu", "build/nestling.bin la57=on  log=info", "pae.elf a b");
	put_module1(1, 0x102000, 0x102000, "initrd x");
	put_module1(2, 0x103000, 0x103001, NULL);
	put_mmap1(3, 0xfffc0000, 0x40000, 2);
	put_mmap1(4, 0x7fe00000, 0, 2);
	put_mmap1(5, 0x1000000000, 0x1000, 3);
	put_mmap1(6, 0x2000000000, 0x1000, 4);
	put_mmap1(7, 0x3000000000, 0x1000, 5);
	put_mmap1(8, 0x4000000000, 0x1000, 12);
	put_mmap1(9, 0x5000000000, 0x1000, 0);
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_int_equal(boot.source, BOOT_MULTIBOOT1);
	assert_string_equal(boot.cmdline, "la57=on  log=info");
	assert_int_equal(boot.module_count, 3);
	assert_int_equal(boot.modules[0].base, 0x100000);
	assert_int_equal(boot.modules[0].size, 0x1234);
	assert_string_equal(boot.modules[0].cmdline, "pae.elf a b");
	assert_int_equal(boot.modules[1].size, 0);
	assert_string_equal(boot.modules[1].cmdline, "initrd x");
	assert_int_equal(boot.modules[2].base, 0x103000);
	assert_string_equal(boot.modules[2].cmdline, "");
	assert_int_equal(boot.range_count, 9);
	assert_range(0, 0, 0x9fc00, MEM_USABLE);
	assert_range(1, 0x9fc00, 0x400, MEM_RESERVED);
	assert_range(3, 0xfffc0000, 0x40000, MEM_RESERVED);
	assert_range(4, 0x1000000000, 0x1000, MEM_ACPI);
	assert_range(5, 0x2000000000, 0x1000, MEM_NVS);
	assert_range(6, 0x3000000000, 0x1000, MEM_BAD);
	assert_range(7, 0x4000000000, 0x1000, MEM_RESERVED);
	assert_range(8, 0x5000000000, 0x1000, MEM_RESERVED);
	assert_int_equal(boot.rsdp, 0xf0010);
}

static void takes_longer_map_entries(void **state)
{
	(void)state;
	put_info1("qemu", "n", "l");
	put32(MMAP, 24);
	put64(MMAP + 4, 0x1000);
	put64(MMAP + 12, 0x2000);
	put32(MMAP + 20, 1);
	put32(INFO + 44, 28);
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_int_equal(boot.range_count, 1);
	assert_range(0, 0x1000, 0x2000, MEM_USABLE);
}

static void does_without_a_map(void **state)
{
	(void)state;
	put_info1("qemu", "n", "l");
	put32(INFO, get32(INFO) & ~(1u << 6));
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_int_equal(boot.range_count, 2);
	assert_range(0, 0, 639 << 10, MEM_USABLE);
	assert_range(1, 0x100000, 1024 << 10, MEM_USABLE);
	put32(INFO + 4, 0xffffffff);
	put32(INFO + 8, 0xffffffff);
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_range(0, 0, 640 << 10, MEM_USABLE);
	assert_range(1, 0x100000, 0xffffffffull << 10, MEM_USABLE);
	put32(INFO, 0);
	bad(MULTIBOOT1_BOOT_MAGIC, "no memory map");
	put32(INFO, 1 << 0);
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_int_equal(boot.module_count, 0);
	assert_string_equal(boot.cmdline, "");
}

static void check_lines(const char *loader, const char *cmdline, const char *l0, const char *module,
                        const char *l1)
{
	strings = STRINGS;
	put_info1(loader, cmdline, module);
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_string_equal(boot.cmdline, l0);
	assert_string_equal(boot.modules[0].cmdline, l1);
}

static void knows_loaders_habits(void **state)
{
	(void)state;
	check_lines("qemu", "nestling.bin", "", "pae.elf", "pae.elf");
	check_lines("qemu", "a=b/n.bin  log=info ", "log=info ", "x", "x");
	check_lines("GNU GRUB 0.97", "/n.bin log=info", "log=info", "/pae.elf x", "/pae.elf x");
	check_lines("GRUB 2.06-13+deb12u1", "log=info la57=on", "log=info la57=on", "pae x",
	            "pae x");
	check_lines("GRUB 2.06", "nestling log=info", "log=info", "pae x", "pae x");
	check_lines("GRUB 2.06", "/boot/nestling.bin  log=info", "log=info", "pae x", "pae x");
	check_lines("GRUB 2.06", "nestling=1 log=info", "nestling=1 log=info", "pae x", "pae x");
	check_lines("GRUB 2.06", "quiet", "quiet", "", "l1 ");
	check_lines("GRUB 2.06", "", "", "console=ttyS0 y", "l1 console=ttyS0 y");
	check_lines("GRUB 2.06", "nestling", "", "x y=z", "x y=z");
	/* A loader without a name puts the program's name first, as the protocol meant it. */
	put32(INFO, get32(INFO) & ~(1u << 9));
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_string_equal(boot.cmdline, "");
	assert_string_equal(boot.modules[0].cmdline, "x y=z");
}

static void refuses_long_lines(void **state)
{
	char line[BOOT_CMDLINE_SIZE + 1];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	put_info1("qemu", "n", "l");
	put32(INFO + 16, put_string(line));
	bad(MULTIBOOT1_BOOT_MAGIC, "longer than 2047 bytes");
	line[sizeof(line) - 2] = '\0';
	put32(INFO + 16, put_string(line));
	good(MULTIBOOT1_BOOT_MAGIC);
	line[5] = '=';
	put32(MODULES + 8, put_string(line));
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_string_equal(boot.modules[0].cmdline, line);
	put32(INFO + 64, put_string("GRUB 2"));
	bad(MULTIBOOT1_BOOT_MAGIC, "longer than 2047 bytes");
}

static void refuses_bad_multiboot1(void **state)
{
	(void)state;
	put_info1("qemu", "n", "l");
	put32(INFO + 20, BOOT_MAX_MODULES + 1);
	bad(MULTIBOOT1_BOOT_MAGIC, "more than 8 modules");
	put32(INFO + 20, 0xffffffff);
	bad(MULTIBOOT1_BOOT_MAGIC, "more than 8 modules");
	put32(INFO + 20, 1);
	put32(INFO + 24, 0xfffffff8);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(INFO + 24, MODULES);
	put32(MODULES + 4, 0xfffff);
	bad(MULTIBOOT1_BOOT_MAGIC, "ends before it begins");
	put32(MODULES + 4, 0x100000);
	good(MULTIBOOT1_BOOT_MAGIC);
	put32(INFO + 44, 23);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(INFO + 44, 24 + 12);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(INFO + 44, 24);
	put32(INFO + 44, 28); /* an entry of no size, and a good one */
	put32(MMAP, 0);
	put32(MMAP + 4, 20);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(INFO + 44, 24);
	put32(MMAP, 19);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(MMAP, 21);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(MMAP, 0xfffffffc);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(MMAP, 20);
	put32(INFO + 48, 0xfffffff0);
	bad(MULTIBOOT1_BOOT_MAGIC, "damaged or cut short");
	put32(INFO + 48, MMAP);
	put32(INFO + 44, 0);
	bad(MULTIBOOT1_BOOT_MAGIC, "no memory map");
	for (uint32_t i = 0; i <= BOOT_MAX_RANGES; i++)
		put_mmap1(i, i * 0x2000, 0x1000, 1);
	bad(MULTIBOOT1_BOOT_MAGIC, "more than 512 ranges");
	assert_non_null(boot_info_from_multiboot(MULTIBOOT1_BOOT_MAGIC, 0xfffffff0, &boot));
	assert_non_null(boot_info_from_multiboot(MULTIBOOT1_BOOT_MAGIC, UINT64_MAX, &boot));
}

static void refuses_other_loaders(void **state)
{
	(void)state;
	bad(0, "not a multiboot one");
	bad(MULTIBOOT1_HEADER_MAGIC, "not a multiboot one");
}

static uint64_t put_tag(uint32_t type, uint32_t size)
{
	uint64_t tag = tags;

	put32(tag, type);
	put32(tag + 4, size);
	tags += (size + 7) & ~7u;
	put32(INFO, (uint32_t)(tags - INFO));
	return tag;
}

static void put_line2(const char *text)
{
	uint64_t tag = put_tag(1, 8 + (uint32_t)strlen(text) + 1);

	put_text(tag + 8, text);
}

static void put_module2(uint32_t start, uint32_t end, const char *text)
{
	uint64_t tag = put_tag(3, 16 + (uint32_t)strlen(text) + 1);

	put32(tag + 8, start);
	put32(tag + 12, end);
	put_text(tag + 16, text);
}

static uint64_t put_mmap2(uint32_t entry_size)
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

static void put_meminfo2(void)
{
	uint64_t tag = put_tag(4, 16);

	put32(tag + 8, 640);
	put32(tag + 12, 2048);
}

static void reads_multiboot2(void **state)
{
	(void)state;
	put_line2("nestling la57=off");
	put_tag(2, 13);
	put_module2(0x100000, 0x100456, "pae.elf x y");
	put_meminfo2();
	put_mmap2(32);
	put_tag(77, 8);
	put_module2(0x101000, 0x101001, "initrd");
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.source, BOOT_MULTIBOOT2);
	assert_string_equal(boot.cmdline, "la57=off");
	assert_int_equal(boot.module_count, 2);
	assert_int_equal(boot.modules[0].base, 0x100000);
	assert_int_equal(boot.modules[0].size, 0x456);
	assert_string_equal(boot.modules[0].cmdline, "pae.elf x y");
	assert_string_equal(boot.modules[1].cmdline, "initrd");
	assert_int_equal(boot.range_count, 2);
	assert_range(0, 0, 0x9f000, MEM_USABLE);
	assert_range(1, 0x100000, 0x100000, MEM_RESERVED);
	assert_int_equal(boot.rsdp, 0);
}

static void normalises_multiboot2(void **state)
{
	(void)state;
	put_line2("log=info");
	put_module2(0x100000, 0x100456, "root=/dev/x y");
	put_meminfo2();
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_string_equal(boot.cmdline, "log=info");
	assert_string_equal(boot.modules[0].cmdline, "l1 root=/dev/x y");
	assert_int_equal(boot.range_count, 2);
	assert_range(1, 0x100000, 2 << 20, MEM_USABLE);
}

static void finds_the_root_pointer(void **state)
{
	uint64_t old, new, efi;

	(void)state;
	put_meminfo2();
	old = put_tag(14, 28);
	put_rsdp(old + 8, 0, 0, 0);
	new = put_tag(15, 44);
	put_rsdp(new + 8, 2, 0, 0);
	efi = put_tag(12, 16);
	put_tag(0, 8);
	put64(efi + 8, 0);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.rsdp, new + 8);
	put32(new, 77);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.rsdp, old + 8);
	put32(old, 15);
	put32(new, 14);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(old, 14);
	put32(new, 15);
	put_rsdp(0xe1000, 0, 0, 0);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.rsdp, 0xe1000);
	put64(efi + 8, 0x20000);
	memcpy(at(0x20000), "IBI SYST", 8);
	put64(0x20000 + 104, 1);
	put64(0x20000 + 112, 0x21000);
	put64(0x21000, 0x11d3e4f18868e871);
	put64(0x21008, 0x81883cc7800022bc);
	put64(0x21010, 0x22000);
	put_rsdp(0x22000, 2, 0, 0);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.rsdp, 0x22000);
	put32(efi, 11); /* now of 32-bit firmware, which has its fields elsewhere */
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.rsdp, 0xe1000);
}

static void refuses_bad_multiboot2(void **state)
{
	uint64_t mmap, module, line, end;

	(void)state;
	put32(INFO, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put_tag(0, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "no memory map");
	tags = INFO + 8;
	line = tags;
	put_line2("abcdefg");
	module = tags;
	put_module2(0x1000, 0x1001, "abcdefg");
	mmap = put_mmap2(24);
	end = put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);

	for (uint32_t size = 0; size < end + 8 - INFO; size++) {
		put32(INFO, size);
		bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	}
	put32(INFO, (16 << 20) + 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(INFO, 0xffffffff);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(INFO, (uint32_t)(end + 8 - INFO));
	put32(line + 4, 7);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(line + 4, 0xffffffff);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(line + 4, 15); /* the text's NUL is beyond it */
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(line + 4, 16);
	put32(module + 4, 23);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(module + 4, 15);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(module + 4, 24);
	put32(module + 12, 0xfff);
	bad(MULTIBOOT2_BOOT_MAGIC, "ends before it begins");
	put32(module + 12, 0x1001);
	put32(mmap + 8, 23);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(mmap + 8, 0);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(mmap + 8, 0xffffffff);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(mmap + 8, 24);
	put32(mmap + 4, 12);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(mmap + 4, 16 + 48);
	good(MULTIBOOT2_BOOT_MAGIC);
	put32(mmap, 4);
	put32(mmap + 4, 15);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(mmap, 12);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	assert_non_null(boot_info_from_multiboot(MULTIBOOT2_BOOT_MAGIC, INFO + 4, &boot));
	assert_non_null(boot_info_from_multiboot(MULTIBOOT2_BOOT_MAGIC, 0x100000000, &boot));
}

static void refuses_too_much_in_multiboot2(void **state)
{
	uint64_t mmap;

	(void)state;
	for (int i = 0; i <= BOOT_MAX_MODULES; i++)
		put_module2(0x1000, 0x1001, "x");
	put_meminfo2();
	put_tag(0, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "more than 8 modules");
	tags = INFO + 8;
	mmap = put_tag(6, 16 + 24 * (BOOT_MAX_RANGES + 1));
	put32(mmap + 8, 24);
	for (uint32_t i = 0; i <= BOOT_MAX_RANGES; i++)
		put64(mmap + 16 + i * 24 + 8, 1);
	put_tag(0, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "more than 512 ranges");
}

/* The information lies at the very end of memory: one byte too many is seen. */
static void reads_no_further(void **state)
{
	uint64_t size, place;

	(void)state;
	put_line2("a");
	put_module2(0x1000, 0x1001, "b");
	put_mmap2(24);
	put_tag(0, 8);
	size = tags - INFO;
	for (uint64_t cut = 0; cut < size; cut += 8) {
		place = MEMORY - (size - cut);
		memmove(at(place), at(INFO), size - cut);
		put32(place, (uint32_t)(size - cut));
		error = boot_info_from_multiboot(MULTIBOOT2_BOOT_MAGIC, place, &boot);
		assert_true(cut ? error != NULL : error == NULL);
	}
}

static void assert_sane(void)
{
	if (error)
		return;
	assert_in_range(boot.range_count, 1, BOOT_MAX_RANGES);
	assert_in_range(boot.module_count, 0, BOOT_MAX_MODULES);
	assert_non_null(memchr(boot.cmdline, 0, sizeof(boot.cmdline)));
	for (uint32_t i = 0; i < boot.range_count; i++)
		assert_in_range(boot.ranges[i].type, MEM_USABLE, MEM_BAD);
	for (uint32_t i = 0; i < boot.module_count; i++)
		assert_non_null(memchr(boot.modules[i].cmdline, 0, BOOT_CMDLINE_SIZE));
}

static void mutate(const uint64_t *bases, const uint32_t *sizes, uint32_t count)
{
	for (uint32_t i = random_below(4) + 1; i--;) {
		uint32_t area = random_below(count);
		uint64_t place = bases[area] + random_below(sizes[area]);

		if (random_below(2))
			put8(place, (uint8_t)random_below(256));
		else
			put32(place & ~3ull,
			      random_below(4) ? random_below(0xffffffff) : 0xffffffff);
	}
}

static void survives_random_information(void **state)
{
	static const uint64_t bases1[] = {INFO, MODULES, MMAP, STRINGS};
	static const uint32_t sizes1[] = {88, 32, 72, 64};
	static const uint64_t bases2[] = {INFO};
	static const uint32_t sizes2[] = {256};
	int errors = 0;

	(void)state;
	random_start("multiboot");
	arena_new_flat();
	for (int round = 0; round < 10000; round++) {
		memset(at(INFO), 0, 0x4000);
		strings = STRINGS;
		put_info1("GRUB 2.06", "nestling a=b", "x=y");
		put_module1(1, 0x1000, 0x2000, "initrd");
		mutate(bases1, sizes1, 4);
		error = boot_info_from_multiboot(MULTIBOOT1_BOOT_MAGIC, INFO, &boot);
		assert_sane();
		errors += error != NULL;

		memset(at(INFO), 0, 0x4000);
		tags = INFO + 8;
		put_line2("nestling log=info");
		put_module2(0x100000, 0x100456, "root=/dev/x y");
		put_meminfo2();
		put_mmap2(24);
		put_rsdp(put_tag(15, 44) + 8, 2, 0, 0);
		put_tag(0, 8);
		mutate(bases2, sizes2, 1);
		error = boot_info_from_multiboot(MULTIBOOT2_BOOT_MAGIC, INFO, &boot);
		assert_sane();
		errors += error != NULL;
	}
	assert_in_range(errors, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_multiboot1, fresh, done),
		cmocka_unit_test_setup_teardown(takes_longer_map_entries, fresh, done),
		cmocka_unit_test_setup_teardown(does_without_a_map, fresh, done),
		cmocka_unit_test_setup_teardown(knows_loaders_habits, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_long_lines, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_bad_multiboot1, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_other_loaders, fresh, done),
		cmocka_unit_test_setup_teardown(reads_multiboot2, fresh, done),
		cmocka_unit_test_setup_teardown(normalises_multiboot2, fresh, done),
		cmocka_unit_test_setup_teardown(finds_the_root_pointer, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_bad_multiboot2, fresh, done),
		cmocka_unit_test_setup_teardown(refuses_too_much_in_multiboot2, fresh, done),
		cmocka_unit_test_setup_teardown(reads_no_further, fresh, done),
		cmocka_unit_test_setup_teardown(survives_random_information, fresh, done),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}
