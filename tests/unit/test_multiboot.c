/*
 * boot/multiboot2.c: the information of Multiboot 2, whole, cut short and hostile, that of no
 * Multiboot, and both protocols' at random.
 */
#include "tests/unit/multiboot_info.h"

static void refuses_other_loaders(void **state)
{
	(void)state;
	bad(0, "not a multiboot one");
	bad(MULTIBOOT1_HEADER_MAGIC, "not a multiboot one");
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
	assert_string_equal(boot_line(0), "pae.elf x y");
	assert_string_equal(boot_line(1), "initrd");
	assert_int_equal(boot.range_count, 2);
	assert_range(0, 0, 0x9f000, MEM_USABLE);
	assert_range(1, 0x100000, 0x100000, MEM_PERSISTENT);
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
	assert_string_equal(boot_line(0), "l1 root=/dev/x y");
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
	bad(MULTIBOOT2_BOOT_MAGIC, "more than 1024 modules");
	tags = INFO + 8;
	for (int i = 0; i < BOOT_MAX_MODULES; i++)
		put_module2(0x1000 + i, 0x1001 + i, i ? "x" : "");
	put_meminfo2();
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.module_count, BOOT_MAX_MODULES);
	assert_string_equal(boot_line(0), "l1 ");
	assert_string_equal(boot_line(BOOT_MAX_MODULES - 1), "x");
	assert_int_equal(boot.modules[BOOT_MAX_MODULES - 1].base, 0x1000 + BOOT_MAX_MODULES - 1);
	tags = INFO + 8;
	mmap = put_tag(6, 16 + 24 * (BOOT_MAX_RANGES + 1));
	put32(mmap + 8, 24);
	for (uint32_t i = 0; i <= BOOT_MAX_RANGES; i++)
		put64(mmap + 16 + i * 24 + 8, 1);
	put_tag(0, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "more than 512 ranges");
}

/* 32 lines of 2047 bytes are 64 KiB; L1's has its name before it. */
static void takes_so_much_text(void **state)
{
	char line[BOOT_CMDLINE_SIZE];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	put_meminfo2();
	for (int i = 0; i < 31; i++)
		put_module2(0x1000, 0x1001, line);
	line[sizeof(line) - 4] = '\0';
	put_module2(0x1000, 0x1001, line);
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_string_equal(boot_line(31), line);
	assert_int_equal(boot.text_used, BOOT_TEXT_SIZE);
	tags -= 8;
	put_module2(0x1000, 0x1001, "");
	put_tag(0, 8);
	bad(MULTIBOOT2_BOOT_MAGIC, "64 KiB in all");
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
	assert_in_range(boot.kept_bytes, 0, BOOT_KEPT_SIZE);
	assert_in_range(boot.efi.map_bytes, 0, BOOT_EFI_MAP_SIZE);
	assert_non_null(memchr(boot.cmdline, 0, sizeof(boot.cmdline)));
	for (uint32_t i = 0; i < boot.range_count; i++) {
		uint32_t type = boot.ranges[i].type;

		if (type != MEM_PERSISTENT && type != MEM_PERSISTENT_OLD)
			assert_in_range(type, MEM_USABLE, MEM_BAD);
	}
	for (uint32_t i = 0; i < boot.module_count; i++)
		assert_non_null(memchr(boot_line(i), 0, BOOT_CMDLINE_SIZE));
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
	static const uint32_t sizes2[] = {384};
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
		put_screen2(1, 38);
		put_mmap2(24);
		put_rsdp(put_tag(15, 44) + 8, 2, 0, 0);
		put_efi();
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
		TEST(refuses_other_loaders),       TEST(reads_multiboot2),
		TEST(normalises_multiboot2),       TEST(finds_the_root_pointer),
		TEST(refuses_bad_multiboot2),      TEST(refuses_too_much_in_multiboot2),
		TEST(takes_so_much_text),          TEST(reads_no_further),
		TEST(survives_random_information),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}
