/*
 * Kernels other than today's as L1: old ones, those with no 32-bit entry, and every way to be
 * broken.
 */
#include "tests/unit/linux_kernel.h"

static void refuses_other_kernels(void **state)
{
	(void)state;
	put16(FILE_BASE + 0x206, 0x0201);
	rig_bad(LOAD_FORMAT, "protocol 2.01");
	put_kernel();
	put8(FILE_BASE + 0x211, 0);
	rig_bad(LOAD_FORMAT, "zImage");
	put_kernel();
	put16(FILE_BASE + 0x1fe, 0);
	rig_bad(LOAD_FORMAT, "no known format");
	put_kernel();
	put8(FILE_BASE + 0x202, 'h');
	rig_bad(LOAD_FORMAT, "no known format");
	put_kernel();
	put32(FILE_BASE + 0x1f4, 0);
	rig_bad(LOAD_FORMAT, "no code");
}

static void refuses_cut_kernels(void **state)
{
	(void)state;
	for (uint64_t size = 1; size < FILE_SIZE; size += size < 0x300 ? 1 : 0x7d) {
		memmove(at(RIG_MEMORY - size), at(FILE_BASE), size);
		rig.boot.modules[0].base = RIG_MEMORY - size;
		rig.boot.modules[0].size = size;
		rig_map();
		rig_any();
		assert_int_equal(rig.error, size < 0x26c ? LOAD_FORMAT : LOAD_TRUNCATED);
	}
	/* The header counts 16 bytes; a file may end amid the last. */
	for (uint32_t cut = 0; cut < 16; cut++) {
		memset(at(PREFERRED), 0, CODE);
		memmove(at(RIG_MEMORY - FILE_SIZE + cut), at(FILE_BASE), FILE_SIZE - cut);
		rig.boot.modules[0].base = RIG_MEMORY - FILE_SIZE + cut;
		rig.boot.modules[0].size = FILE_SIZE - cut;
		load();
		assert_memory_equal(at(PREFERRED), at(FILE_BASE + SETUP), CODE - cut);
	}
	rig.boot.modules[0].size = FILE_SIZE - 16;
	rig_bad(LOAD_TRUNCATED, "should have");
	rig.boot.modules[0].base = FILE_BASE;
	rig.boot.modules[0].size = FILE_SIZE + 0x1000; /* a signature behind it does no harm */
	load();
	rig.boot.modules[0].size = FILE_SIZE;
	put8(FILE_BASE + 0x1f1, 0); /* means 4 */
	rig_bad(LOAD_TRUNCATED, "should have");
	rig.boot.modules[0].size = FILE_SIZE + 512;
	load();
	put32(FILE_BASE + 0x1f4, 0xffffffff);
	rig_bad(LOAD_TRUNCATED, "should have");
	put8(FILE_BASE + 0x201, 255);
	rig.boot.modules[0].size = 0x280;
	rig_bad(LOAD_TRUNCATED, "setup header");
}

/* A BIOS's vectors and its data area. */
static void put_bios(void)
{
	put32(0x10 * 4, 0xc0001234);
	put32(0x13 * 4, 0xf000e3fe);
	put32(0x15 * 4, 0xf000f859);
	put16(0x413, (uint16_t)(RIG_LOWER_END >> 10));
}

static void assert_enters_in_real_mode(uint16_t protocol)
{
	const struct l1_entry *entry = &rig.result.entry;
	uint32_t segment;

	rig_map();
	rig_good();
	segment = (uint32_t)entry->ds << 4;
	assert_string_equal(rig.result.protocol, "real mode");
	assert_true(entry->real_mode);
	assert_int_equal(entry->cs, entry->ds + 0x20);
	assert_int_equal(entry->eip, 0);
	assert_int_equal(entry->esp, 0xe000);
	assert_int_equal(entry->gdt_base, 0);
	assert_in_info(segment, 0x10000);
	assert_memory_equal(at(segment), at(FILE_BASE), 0x1f1);
	assert_int_equal(get16(segment + 0x1fa), 0xffff);
	assert_int_equal(get16(segment + 0x206), protocol);
	assert_int_equal(*(uint8_t *)at(segment + 0x210), 0xff);
	assert_int_equal(*(uint8_t *)at(segment + 0x211), 0x81);
	assert_int_equal(get16(segment + 0x224), 0xde00);
	assert_int_equal(get32(segment + 0x228), segment + 0xe000);
	assert_string_equal(at(segment + 0xe000), "console=ttyS0  quiet");
	assert_memory_equal(at(segment + 0x270), at(FILE_BASE + 0x270), SETUP - 0x270);
	assert_int_equal(get16(segment + 0x226), 0);
	assert_memory_equal(at(0x100000), at(FILE_BASE + SETUP), CODE);
	assert_int_equal(get32(segment + 0x21c), rig.boot.module_count > 1 ? 0x2345 : 0);
	if (rig.boot.module_count > 1)
		assert_true(rig_is_module(get32(segment + 0x218), 1));
}

static void enters_in_real_mode(void **state)
{
	static const uint16_t old[] = {0x0202, 0x0203, 0x0204, 0x0205};

	(void)state;
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		memset(at(0), 0, 0x1000);
		put16(FILE_BASE + 0x206, old[i]);
		rig_bad(LOAD_FORMAT, "needs a BIOS");
		put_bios();
		assert_enters_in_real_mode(old[i]);
	}
	put16(FILE_BASE + 0x206, 0x0203);
	put32(FILE_BASE + 0x1f4, 0); /* not to be trusted before 2.04 */
	assert_enters_in_real_mode(0x0203);
	put_kernel();
	rig_add_module(RIG_INITRD, 0x2345, "initrd");
	put32(FILE_BASE + 0x230, 0); /* no alignment: not Linux, and no 32-bit entry */
	put16(FILE_BASE + 0x206, 0x0207);
	assert_enters_in_real_mode(0x0207);
	put32(FILE_BASE + 0x238, 19);
	rig_bad(LOAD_FORMAT, "this L1 takes 19");
	put32(FILE_BASE + 0x238, 20);
	assert_enters_in_real_mode(0x0207);
	rig_map();
	memmap_add(&rig.map, 0x100000, 1, MEM_RESERVED);
	rig_any();
	assert_int_equal(rig.error, LOAD_OCCUPIED);
	put8(FILE_BASE + 0x1f1, 64);
	put32(FILE_BASE + 0x1f4, 1);
	rig.boot.modules[0].size = 0x10000;
	rig_bad(LOAD_FORMAT, "32768");
}

static void survives_random_kernels(void **state)
{
	int loaded = 0;

	(void)state;
	random_start("linux");
	put_bios();
	rig_add_module(RIG_INITRD, 0x2345, "initrd");
	for (int round = 0; round < 2000; round++) {
		put_kernel();
		rig.boot.modules[0].size = FILE_SIZE;
		for (uint32_t i = random_below(4) + 1; i--;) {
			uint64_t place = FILE_BASE + 0x1f1 + random_below(0x80);
			uint32_t kind = random_below(3);

			if (kind == 0)
				put8(place, (uint8_t)random_below(256));
			else if (kind == 1)
				put32(place, random_below((uint32_t)RIG_MEMORY + 2));
			else
				put32(place & ~3ull, random_below(2) ? 0xffffffff : 0);
		}
		if (!random_below(4))
			rig.boot.modules[0].size = random_below(FILE_SIZE) + 1;
		rig_map();
		rig_any();
		loaded += !rig.error;
	}
	assert_in_range(loaded, 100, 1900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_other_kernels),
		TEST(refuses_cut_kernels),
		TEST(enters_in_real_mode),
		TEST(survives_random_kernels),
	};

	return cmocka_run_group_tests_name("linux_kernels", tests, NULL, NULL);
}
