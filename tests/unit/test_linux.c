/*
 * Loading a Linux bzImage as L1: where it goes, and what the kernel reads.
 */
#include "svm/features.h"
#include "tests/unit/linux_kernel.h"

static void enters_by_the_32_bit_protocol(void **state)
{
	const struct l1_entry *entry = &rig.result.entry;

	(void)state;
	load();
	assert_loaded_at(PREFERRED);
	assert_int_equal(entry->ebx, 0);
	assert_int_equal(entry->ebp, 0);
	assert_int_equal(entry->edi, 0);
	assert_int_equal(entry->cs, 0x10);
	assert_int_equal(entry->ds, 0x18);
	assert_int_equal(entry->gdt_limit, 31);
	assert_in_info(entry->gdt_base, 32);
	/* Base 0, limit 4 GiB: execute/read accessed, read/write accessed; 32 bits. */
	assert_int_equal(get64(entry->gdt_base), 0);
	assert_int_equal(get64(entry->gdt_base + 0x10), 0x00cf9b000000ffff);
	assert_int_equal(get64(entry->gdt_base + 0x18), 0x00cf93000000ffff);
	assert_int_equal(params % 4096, 0);
	assert_in_info(params, 4096);
}

static void fills_boot_params(void **state)
{
	uint64_t rsdp;

	(void)state;
	rig.boot.rsdp = 0x3000;
	put_rsdp(rig.boot.rsdp, 2, 0x1234, 0x5678);
	load();
	for (uint64_t i = 0; i < 0x70; i++)
		assert_int_equal(*(uint8_t *)at(params + i), 0);
	rsdp = get64(params + 0x70);
	assert_in_info(rsdp, 36);
	assert_memory_equal(at(rsdp), at(rig.boot.rsdp), 36);
	for (uint64_t i = 0xc0; i < 0x1e8; i++)
		assert_int_equal(*(uint8_t *)at(params + i), 0);
	assert_int_equal(*(uint8_t *)at(params + 0x1f1), 3);
	assert_int_equal(get32(params + 0x1f4), CODE / 16);
	assert_int_equal(get16(params + 0x1fa), 0xffff);
	assert_int_equal(get16(params + 0x1fe), 0xaa55);
	assert_memory_equal(at(params + 0x202), "HdrS", 4);
	assert_int_equal(get16(params + 0x206), 0x020f);
	assert_int_equal(*(uint8_t *)at(params + 0x210), 0xff);
	assert_int_equal(*(uint8_t *)at(params + 0x211), 0x01);
	assert_int_equal(get32(params + 0x218), 0);
	assert_int_equal(get32(params + 0x21c), 0);
	assert_int_equal(get16(params + 0x226), 0);
	assert_in_info(get32(params + 0x228), 20);
	assert_string_equal(at(get32(params + 0x228)), "console=ttyS0  quiet");
	assert_int_equal(get32(params + 0x22c), 0x7fffffff);
	assert_int_equal(get64(params + 0x250), 0);
	assert_int_equal(get64(params + 0x258), PREFERRED);
	assert_int_equal(get32(params + 0x264), 0x6666);
	assert_int_equal(get32(params + 0x268), 0);
	put16(FILE_BASE + 0x206, 0x020d); /* before acpi_rsdp_addr */
	load();
	assert_int_equal(get64(params + 0x70), 0);
	put16(FILE_BASE + 0x206, 0x020e);
	load();
	assert_int_not_equal(get64(params + 0x70), 0);
	put8(rig.boot.rsdp, 'x');
	load();
	assert_int_equal(get64(params + 0x70), 0);
}

static void tells_of_the_screen(void **state)
{
	static const uint8_t colors[] = {8, 16, 7, 8, 6, 1, 11, 21};

	(void)state;
	put_screen();
	load();
	assert_int_equal(*(uint8_t *)at(params + 0x0f), 0x23);
	assert_int_equal(get16(params + 0x12), 1024);
	assert_int_equal(get16(params + 0x14), 768);
	assert_int_equal(get16(params + 0x16), 32);
	assert_int_equal(get32(params + 0x18), 0x80000000);
	assert_int_equal(get32(params + 0x1c), 51); /* of 64 KiB */
	assert_int_equal(get16(params + 0x24), 4352);
	assert_memory_equal(at(params + 0x26), colors, sizeof(colors));
	assert_int_equal(get16(params + 0x32), 1);
	assert_int_equal(get32(params + 0x36), 1 << 1);
	assert_int_equal(get32(params + 0x3a), 0x40);
	put_efi(true, RIG_UPPER, 0x1000);
	rig.boot.screen.base = 0x80000000;
	rig.boot.edid_bytes = 128;
	memset(rig.boot.edid, 0xed, 128);
	load();
	assert_int_equal(*(uint8_t *)at(params + 0x0f), 0x70);
	assert_int_equal(get32(params + 0x1c), 4352 * 768);
	assert_int_equal(get32(params + 0x36), 0);
	assert_memory_equal(at(params + 0x140), rig.boot.edid, 128);
	rig.boot.screen.pitch = 0x10000; /* more than the field has */
	load();
	assert_int_equal(*(uint8_t *)at(params + 0x0f), 0);
	put_text_screen();
	load();
	assert_int_equal(*(uint8_t *)at(params + 0x06), 3);
	assert_int_equal(*(uint8_t *)at(params + 0x07), 80);
	assert_int_equal(*(uint8_t *)at(params + 0x0e), 25);
	assert_int_equal(*(uint8_t *)at(params + 0x0f), 1);
	assert_int_equal(get16(params + 0x10), 16);
	assert_int_equal(get32(params + 0x18), 0);
}

static void assert_efi(const char *signature)
{
	uint8_t expected[16 * 48];
	uint32_t map;

	load();
	if (!signature) {
		for (uint64_t i = 0x1c0; i < 0x1e0; i++)
			assert_int_equal(*(uint8_t *)at(params + i), 0);
		return;
	}
	map = get32(params + 0x1d0);
	assert_memory_equal(at(params + 0x1c0), signature, 4);
	assert_int_equal(get32(params + 0x1c4), 0x7f3e0018);
	assert_int_equal(get32(params + 0x1c8), 48);
	assert_int_equal(get32(params + 0x1cc), 1);
	assert_int_equal(get32(params + 0x1d4), 48 * 7);
	assert_int_equal(get32(params + 0x1d8), rig.boot.efi.system_table >> 32);
	assert_int_equal(get32(params + 0x1dc), 0);
	assert_in_info(map, 48 * 7);
	assert_int_equal(efi_map_out(&rig.boot.efi, &rig.map, expected), 48 * 7);
	assert_memory_equal(at(map), expected, 48 * 7);
}

/* Of 64 bits for kernels of 64 bits, of 32 for the others; both say so since 2.12. */
static void tells_of_efi(void **state)
{
	(void)state;
	assert_efi(NULL);
	put_efi(true, 0x900000, 0x10000);
	assert_efi(NULL);
	put16(FILE_BASE + 0x236, 1);
	assert_efi("EL64");
	rig.boot.efi.system_table |= 0x500000000;
	assert_efi("EL64");
	put16(FILE_BASE + 0x206, 0x020b);
	assert_efi(NULL);
	put16(FILE_BASE + 0x206, 0x020c);
	assert_efi("EL64");
	rig.boot.efi.map_bytes = 0;
	assert_efi(NULL);
	put_efi(false, 0x900000, 0x10000);
	assert_efi(NULL);
	put16(FILE_BASE + 0x236, 0xfffe);
	assert_efi("EL32");
}

static void tells_the_memory_map(void **state)
{
	(void)state;
	load();
	assert_int_equal(*(uint8_t *)at(params + 0x1e8), rig.map.count);
	assert_int_equal(rig.map.count, 5);
	for (uint32_t i = 0; i < rig.map.count; i++) {
		uint64_t entry = params + 0x2d0 + i * 20;

		assert_int_equal(get64(entry), rig.map.range[i].base);
		assert_int_equal(get64(entry + 8), rig.map.range[i].size);
		assert_int_equal(get32(entry + 16), rig.map.range[i].type);
	}
	for (uint64_t i = 0; rig.map.count < 128; i++)
		assert_true(memmap_add(&rig.map, (1ull << 40) + i * 0x2000, 0x1000, MEM_USABLE));
	rig_good();
	params = rig.result.entry.esi;
	assert_int_equal(*(uint8_t *)at(params + 0x1e8), 128);
	assert_int_equal(get64(params + 0x2d0 + 127 * 20), rig.map.range[127].base);
	assert_true(memmap_add(&rig.map, 1ull << 50, 0x1000, MEM_USABLE));
	rig_any();
	assert_int_equal(rig.error, LOAD_NO_MEMORY);
	assert_non_null(strstr(rig.result.message, "Linux takes 128"));
}

static void places_the_initrd(void **state)
{
	uint32_t initrd;

	(void)state;
	rig_add_module(RIG_INITRD, 0x2345, "initrd.gz");
	load();
	initrd = get32(params + 0x218);
	assert_int_equal(initrd, RIG_STAGE - 0x3000);
	assert_int_equal(get32(params + 0x21c), 0x2345);
	assert_true(rig_is_module(initrd, 1));
	put32(FILE_BASE + 0x22c, 0x4fffff);
	load();
	assert_int_equal(get32(params + 0x218), 0x500000 - 0x3000);
	/* Between the kernel and its limit there is no room, below the kernel there is. */
	put32(FILE_BASE + 0x22c, PREFERRED + INIT_SIZE + 0x2344 - 1);
	load();
	assert_int_equal(get32(params + 0x218), PREFERRED - 0x3000);
	put32(FILE_BASE + 0x22c, 0xffffffff);
	load();
	assert_int_equal(get32(params + 0x218), RIG_STAGE - 0x3000);
	put32(FILE_BASE + 0x22c, 0x101fff);
	rig_bad(LOAD_NO_MEMORY, "the initrd needs");
	rig.boot.modules[1].size = 0;
	load();
	assert_int_equal(get32(params + 0x218), 0);
}

/* Several are one archive behind the other, each at a multiple of 4 bytes. */
static void joins_initrds(void **state)
{
	uint32_t initrd;

	(void)state;
	rig_add_module(RIG_INITRD, 0x2345, "first");
	rig_add_module(RIG_INITRD2, 0, "empty");
	rig_add_module(RIG_INITRD2, 0x1004, "second");
	rig_add_module(RIG_INITRD2 + 0x2000, 1, "last");
	memset(at(RIG_STAGE - 0x4000), 0xee, 0x4000);
	load();
	initrd = get32(params + 0x218);
	assert_int_equal(initrd, RIG_STAGE - 0x4000);
	assert_int_equal(get32(params + 0x21c), 0x2348 + 0x1004 + 1);
	assert_true(rig_is_module(initrd, 1));
	assert_int_equal(get32(initrd + 0x2344) >> 8, 0);
	assert_true(rig_is_module(initrd + 0x2348, 3));
	assert_true(rig_is_module(initrd + 0x2348 + 0x1004, 4));
	assert_int_equal(*(uint8_t *)at(initrd + 0x2348 + 0x1005), 0xee);
	put32(FILE_BASE + 0x22c, 0x100000 + 0x334c);
	put64(FILE_BASE + 0x258, 0x400000);
	load();
	assert_int_equal(get32(params + 0x218), 0x100000);
	put32(FILE_BASE + 0x22c, 0x100000 + 0x334b);
	rig_bad(LOAD_NO_MEMORY, "the initrd needs 13 KiB");
}

static void moves_the_kernel(void **state)
{
	(void)state;
	rig_map();
	memmap_add(&rig.map, PREFERRED + INIT_SIZE - 1, 2, MEM_RESERVED);
	rig_good();
	params = rig.result.entry.esi;
	assert_loaded_at(PREFERRED + INIT_SIZE + ALIGNMENT);
	put64(FILE_BASE + 0x258, PREFERRED - 1);
	load();
	assert_loaded_at(PREFERRED);
	put32(FILE_BASE + 0x230, 0x1000000);
	rig_bad(LOAD_OCCUPIED, "add memory");
	put32(FILE_BASE + 0x230, 0x3000);
	rig_bad(LOAD_FORMAT, "alignment");
	put32(FILE_BASE + 0x230, 0x80000000);
	rig_bad(LOAD_FORMAT, "alignment");
	put32(FILE_BASE + 0x230, ALIGNMENT);
	put64(FILE_BASE + 0x258, RIG_L0);
	load();
	assert_loaded_at(RIG_L0 + RIG_L0_SIZE);
	put64(FILE_BASE + 0x258, RIG_STAGE - 0x1000);
	rig_bad(LOAD_OCCUPIED, "add memory");
	put64(FILE_BASE + 0x258, UINT64_MAX);
	rig_any();
	put64(FILE_BASE + 0x258, 1ull << 32);
	rig_bad(LOAD_OCCUPIED, "add memory");
	put64(FILE_BASE + 0x258, PREFERRED);
	put32(FILE_BASE + 0x260, 0xffffffff);
	rig_bad(LOAD_OCCUPIED, "add memory");
}

static void leaves_fixed_kernels(void **state)
{
	(void)state;
	put8(FILE_BASE + 0x234, 0);
	load();
	assert_loaded_at(0x100000);
	put64(FILE_BASE + 0x258, RIG_L0 - INIT_SIZE + 1);
	rig_bad(LOAD_OCCUPIED, "the Linux kernel wants");
	put64(FILE_BASE + 0x258, PREFERRED);
	rig_map();
	memmap_add(&rig.map, 0x100000 + CODE - 1, 1, MEM_RESERVED);
	rig_any();
	assert_int_equal(rig.error, LOAD_OCCUPIED);
	/* Before init_size: three times the code from 1 MiB on. */
	put16(FILE_BASE + 0x206, 0x0209);
	load();
	assert_loaded_at(0x100000);
	rig_map();
	memmap_add(&rig.map, 0x100000 + 3 * CODE - 1, 1, MEM_RESERVED);
	rig_any();
	assert_int_equal(rig.error, LOAD_OCCUPIED);
	rig_map();
	memmap_add(&rig.map, 0x100000 + 3 * CODE, 1, MEM_RESERVED);
	rig_good();
}

static void reserves_what_the_kernel_takes(void **state)
{
	(void)state;
	put32(FILE_BASE + 0x260, 1); /* less than the code itself */
	rig_add_module(RIG_INITRD, 0x1000, "");
	put32(FILE_BASE + 0x22c, PREFERRED + CODE - 1);
	load();
	assert_int_equal(get32(params + 0x218), PREFERRED - 0x1000);
}

static void limits_the_command_line(void **state)
{
	char line[BOOT_CMDLINE_SIZE];

	(void)state;
	put32(FILE_BASE + 0x238, 20);
	load();
	put32(FILE_BASE + 0x238, 19);
	rig_bad(LOAD_FORMAT, "has 20 bytes");
	rig_set_line(0, "vmlinuz");
	put32(FILE_BASE + 0x238, 0);
	load();
	assert_string_equal(at(get32(params + 0x228)), "");
	memset(line, 'x', BOOT_CMDLINE_SIZE - 1);
	line[1] = ' ';
	line[BOOT_CMDLINE_SIZE - 1] = '\0';
	rig_set_line(0, line);
	put32(FILE_BASE + 0x238, 0xffffffff);
	load();
	assert_int_equal(strlen(at(get32(params + 0x228))), 2045);
}

/* Where L0 knows it; first, so that the user's own word is the last; nothing fails for lack of
 * room. */
static void tells_the_frequency(void **state)
{
	(void)state;
	features.tsc_khz = 2345678;
	load();
	assert_string_equal(at(get32(params + 0x228)),
	                    "tsc_early_khz=2345678 console=ttyS0  quiet");
	assert_in_info(get32(params + 0x228), 43);
	put32(FILE_BASE + 0x238, 42);
	load();
	assert_int_equal(strlen(at(get32(params + 0x228))), 42);
	put32(FILE_BASE + 0x238, 41);
	load();
	assert_string_equal(at(get32(params + 0x228)), "console=ttyS0  quiet");
	limits_the_command_line(state);
	features.tsc_khz = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(enters_by_the_32_bit_protocol),
		TEST(fills_boot_params),
		TEST(tells_of_the_screen),
		TEST(tells_of_efi),
		TEST(tells_the_memory_map),
		TEST(places_the_initrd),
		TEST(joins_initrds),
		TEST(moves_the_kernel),
		TEST(leaves_fixed_kernels),
		TEST(reserves_what_the_kernel_takes),
		TEST(limits_the_command_line),
		TEST(tells_the_frequency),
	};

	return cmocka_run_group_tests_name("linux", tests, NULL, NULL);
}
