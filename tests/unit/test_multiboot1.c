/*
 * boot/multiboot1.c: the information of Multiboot 1, whole, cut short and hostile, and what loaders
 * make of its command lines.
 */
#include "tests/unit/multiboot_info.h"

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
	assert_string_equal(boot_line(0), "pae.elf a b");
	assert_int_equal(boot.modules[1].size, 0);
	assert_string_equal(boot_line(1), "initrd x");
	assert_int_equal(boot.modules[2].base, 0x103000);
	assert_string_equal(boot_line(2), "");
	assert_int_equal(boot.range_count, 9);
	assert_range(0, 0, 0x9fc00, MEM_USABLE);
	assert_range(1, 0x9fc00, 0x400, MEM_RESERVED);
	assert_range(3, 0xfffc0000, 0x40000, MEM_RESERVED);
	assert_range(4, 0x1000000000, 0x1000, MEM_ACPI);
	assert_range(5, 0x2000000000, 0x1000, MEM_NVS);
	assert_range(6, 0x3000000000, 0x1000, MEM_BAD);
	assert_range(7, 0x4000000000, 0x1000, MEM_PERSISTENT_OLD);
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
	assert_string_equal(boot_line(0), l1);
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
	check_lines("Limine 3.0", "npt=off la57=on", "npt=off la57=on", "a=b c", "l1 a=b c");
	check_lines("Limine 9.2.3", "", "", "", "l1 ");
	check_lines("Limine 9.2.3", "npt", "npt", " a=b", "l1  a=b");
	check_lines("Limine 9.2.3", " nestling npt=off", "npt=off", "pae a=b", "pae a=b");
	/* Others may put a name first, as the protocol meant it, or not: a "=" tells. */
	check_lines("boot 1", "npt=off la57=on", "npt=off la57=on", "a=b c", "l1 a=b c");
	check_lines("boot 1", "/b/n.bin npt=off", "npt=off", "pae a=b", "pae a=b");
	check_lines("boot 1", "", "", "", "l1 ");
	check_lines("", "n", "", "pae", "pae");
	put32(INFO, get32(INFO) & ~(1u << 9));
	good(MULTIBOOT1_BOOT_MAGIC);
	assert_string_equal(boot.cmdline, "");
	assert_string_equal(boot_line(0), "pae");
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
	assert_string_equal(boot_line(0), line);
	put32(INFO + 64, put_string("GRUB 2"));
	bad(MULTIBOOT1_BOOT_MAGIC, "longer than 2047 bytes");
}

static void refuses_bad_multiboot1(void **state)
{
	(void)state;
	put_info1("qemu", "n", "l");
	put32(INFO + 20, BOOT_MAX_MODULES + 1);
	bad(MULTIBOOT1_BOOT_MAGIC, "more than 1024 modules");
	put32(INFO + 20, 0xffffffff);
	bad(MULTIBOOT1_BOOT_MAGIC, "more than 1024 modules");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_multiboot1),   TEST(takes_longer_map_entries),
		TEST(does_without_a_map), TEST(knows_loaders_habits),
		TEST(refuses_long_lines), TEST(refuses_bad_multiboot1),
	};

	return cmocka_run_group_tests_name("multiboot1", tests, NULL, NULL);
}
