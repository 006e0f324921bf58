/*
 * boot/multiboot2.c and boot/smbios.c: what Multiboot 2 tells besides memory and modules, which is
 * kept for L1: EFI, ACPI, SMBIOS, the network, the screen.
 */
#include "boot/smbios.h"
#include "tests/unit/multiboot_info.h"

static void keeps_what_efi_left(void **state)
{
	uint64_t map, tag;

	(void)state;
	put_meminfo2();
	map = put_efi();
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.efi.system_table, 0x823456789a);
	assert_int_equal(boot.efi.wide, 1);
	assert_int_equal(boot.efi.map_bytes, 96);
	assert_int_equal(boot.efi.descriptor_bytes, 48);
	assert_int_equal(boot.efi.descriptor_version, 1);
	assert_memory_equal(boot.efi.map, at(map + 16), 96);
	put32(map + 8, 47);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(map + 8, 0);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	put32(map + 8, 48);
	put32(map + 4, 15);
	bad(MULTIBOOT2_BOOT_MAGIC, "damaged or cut short");
	/* 32-bit firmware, and more of a map than there is room for. */
	tags = INFO + 8;
	put_meminfo2();
	tag = put_tag(11, 12);
	put32(tag + 8, 0x1f0000);
	map = put_tag(17, 16 + BOOT_EFI_MAP_SIZE / 64 * 64 + 64);
	put32(map + 8, 64);
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.efi.system_table, 0x1f0000);
	assert_int_equal(boot.efi.wide, 0);
	assert_int_equal(boot.efi.map_bytes, 0);
}

static void keeps_tags_for_l1(void **state)
{
	uint64_t network;

	(void)state;
	put_meminfo2();
	network = put_tag(16, 8 + 301);
	for (uint32_t i = 0; i < 301; i++)
		put8(network + 8 + i, (uint8_t)i);
	put_tag(13, 16 + 31);
	put_tag(16, BOOT_KEPT_SIZE); /* no room any more */
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.kept_bytes, 312 + 48);
	assert_memory_equal(boot.kept, at(network), 309);
	assert_true(boot_kept(&boot, 16) && boot_kept(&boot, 13));
	assert_false(boot_kept(&boot, 12));
	smbios_keep(&boot); /* there is one */
	assert_int_equal(boot.kept_bytes, 312 + 48);
}

static void put_entry_point(uint64_t hpa, const char *anchor, uint8_t length)
{
	bool wide = anchor[3] == '3';

	memset(at(hpa), 0x11, length);
	put_text(hpa, anchor);
	put8(hpa + (wide ? 6 : 5), length);
	put8(hpa + (wide ? 7 : 6), 3);
	put8(hpa + (wide ? 8 : 7), 4);
	put_checksum(hpa, wide ? 5 : 4, length);
}

static void assert_smbios(uint64_t hpa, uint32_t length)
{
	memset(&boot.kept, 0, sizeof(boot.kept));
	boot.kept_bytes = 0;
	smbios_keep(&boot);
	assert_int_equal(boot.kept_bytes, length ? (16 + length + 7) & ~7u : 0);
	if (!length)
		return;
	assert_true(boot_kept(&boot, 13));
	assert_int_equal(boot.kept[4], 16 + length);
	assert_int_equal(boot.kept[8], 3);
	assert_int_equal(boot.kept[9], 4);
	assert_memory_equal(boot.kept + 16, at(hpa), length);
}

static void finds_smbios(void **state)
{
	static const uint8_t guid[] = {0x31, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
	                               0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};

	(void)state;
	memset(&boot, 0, sizeof(boot));
	assert_smbios(0, 0);
	put_entry_point(0xf0ff0, "_SM_", 31);
	assert_smbios(0xf0ff0, 31);
	put_entry_point(0xffff0 - 0x40, "_SM3_", 24);
	assert_smbios(0xffff0 - 0x40, 24);
	put8(0xffff0 - 0x40 + 20, 0);
	assert_smbios(0xf0ff0, 31); /* the newer one's sum is wrong now */
	put8(0xf0ff0 + 5, 29);
	assert_smbios(0, 0);
	put8(0xf0ff0 + 5, 65);
	assert_smbios(0, 0);
	/* Where EFI names it. */
	put_text(0x3000, "IBI SYST");
	put64(0x3000 + 104, 1);
	put64(0x3000 + 112, 0x4000);
	memcpy(at(0x4000), guid, sizeof(guid));
	put64(0x4010, 0x5008);
	put_entry_point(0x5008, "_SM_", 30);
	boot.efi.system_table = 0x3000;
	boot.efi.wide = true;
	assert_smbios(0x5008, 30);
	put64(0x4010, 0x100005008);
	assert_smbios(0, 0);
	put64(0x4010, UINT64_MAX);
	assert_smbios(0, 0);
}

static void expect_screen2(uint8_t type, uint32_t size, uint32_t kind)
{
	tags = INFO + 8;
	put_screen2(type, size);
	put_meminfo2();
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.screen_kind, kind);
}

/* A screen that cannot be used does not keep the machine from booting. */
static void reads_the_screen(void **state)
{
	static const struct framebuffer zero;
	const struct framebuffer *screen = &boot.screen;

	(void)state;
	tags = INFO + 8;
	put_meminfo2();
	put_tag(0, 8);
	good(MULTIBOOT2_BOOT_MAGIC);
	assert_int_equal(boot.screen_kind, SCREEN_UNKNOWN);

	expect_screen2(1, 38, SCREEN_PIXELS);
	assert_true(screen->base == 0x1234567000);
	assert_int_equal(screen->pitch, 4096);
	assert_int_equal(screen->width, 1000);
	assert_int_equal(screen->height, 700);
	assert_int_equal(screen->bits, 32);
	assert_int_equal(screen->red.at << 8 | screen->red.size, 16 << 8 | 8);
	assert_int_equal(screen->green.at << 8 | screen->green.size, 11 << 8 | 5);
	assert_int_equal(screen->blue.at << 8 | screen->blue.size, 3 << 8 | 7);

	expect_screen2(2, 32, SCREEN_TEXT);
	assert_int_equal(screen->height, 700);
	expect_screen2(0, 34, SCREEN_PALETTE);
	expect_screen2(3, 38, SCREEN_BROKEN);
	expect_screen2(255, 38, SCREEN_BROKEN);
	expect_screen2(1, 37, SCREEN_BROKEN);
	expect_screen2(2, 31, SCREEN_BROKEN);
	expect_screen2(1, 8, SCREEN_BROKEN);
	assert_memory_equal(screen, &zero, sizeof(zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_what_efi_left),
		TEST(keeps_tags_for_l1),
		TEST(finds_smbios),
		TEST(reads_the_screen),
	};

	return cmocka_run_group_tests_name("multiboot_tags", tests, NULL, NULL);
}
