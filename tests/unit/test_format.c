/*
 * The formats of guest tables as mmu/format.c has them: reserved bits, large pages, frames,
 * attribute bits. checklist.md: "Reserved bits per level", "Large pages with low address bits".
 */
#include "tests/unit/mmu_test.h"

#include <stdlib.h>

static struct paging_mode mode_of(enum pt_format_id id, uint32_t flags, uint8_t phys_bits)
{
	struct paging_mode mode;

	paging_mode_init(&mode, id, flags, phys_bits);
	return mode;
}

static void roots_keep_the_bits_of_their_format(void **state)
{
	struct paging_mode mode;

	(void)state;
	mode = mode_of(PT_2LEVEL, 0, 40);
	assert_int_equal(paging_root(&mode, 0x123456789fffull), 0x56789000);
	mode = mode_of(PT_PAE, 0, 40);
	assert_int_equal(paging_root(&mode, 0x12345678ffffull), 0x5678ffe0);
	mode = mode_of(PT_4LEVEL, 0, 40);
	assert_int_equal(paging_root(&mode, 0xfff456789abcdef0ull), 0x789abcd000);
	mode = mode_of(PT_5LEVEL, 0, 52);
	assert_int_equal(paging_root(&mode, 0xfff456789abcdef0ull), 0x456789abcd000);
	mode = mode_of(PT_PAE, 0, 31);
	assert_int_equal(paging_root(&mode, 0xffffffff), 0x7fffffe0);
}

static void indexes_are_cut_at_their_level(void **state)
{
	const uint64_t a = 0x01fe00bfdfeff123ull; /* no two neighbours alike */

	(void)state;
	for (int level = 1; level <= 5; level++)
		assert_int_equal(guest_index(&pt_formats[PT_5LEVEL], level, a),
		                 a >> (12 + 9 * (level - 1)) & 511);
	assert_int_equal(guest_index(&pt_formats[PT_PAE], 3, 0x1c0000000ull), 3);
	assert_int_equal(guest_index(&pt_formats[PT_2LEVEL], 2, 0x1ffc00000ull), 1023);
	assert_int_equal(guest_index(&pt_formats[PT_2LEVEL], 1, 0x7ff000ull), 1023);
}

static void two_level_entries(void **state)
{
	struct paging_mode nopse = mode_of(PT_2LEVEL, MODE_NX, 40);
	struct paging_mode pse = mode_of(PT_2LEVEL, MODE_PSE, 40);
	struct paging_mode narrow = mode_of(PT_2LEVEL, MODE_PSE, 36);

	(void)state;
	assert_int_equal(nopse.flags & MODE_NX, 0);
	/* Without PSE the PS bit is ignored and nothing is reserved. */
	assert_false(entry_is_leaf(&nopse, 2, E_LARGE));
	assert_int_equal(entry_reserved(&nopse, 2, 0xffffffff), 0);
	assert_int_equal(entry_reserved(&nopse, 1, 0xffffffff), 0);
	assert_true(entry_is_leaf(&pse, 2, E_LARGE));
	assert_false(entry_is_leaf(&pse, 2, E_TABLE));
	assert_true(entry_is_leaf(&pse, 1, E_PAGE));
	assert_int_equal(entry_reserved(&pse, 2, 0xffffff7f), 0);
	assert_int_equal(entry_reserved(&pse, 2, 0xffffffff), 1 << 21);
	assert_int_equal(entry_reserved(&narrow, 2, 0xffffffff), 0x3e0000);
	/* PSE36: bits 20:13 are bits 39:32. */
	assert_int_equal(leaf_frame(&pse, 2, 0x00c00000 | 0xa5 << 13 | E_LARGE), 0xa500c00000);
	assert_int_equal(leaf_frame(&pse, 1, 0x12345fff), 0x12345000);
	assert_int_equal(level_shift(&pse, 2), 22);
}

static void pdptes_have_their_own_reserved_bits(void **state)
{
	struct paging_mode mode = mode_of(PT_PAE, MODE_NX, 40);
	struct paging_mode tolerant = mode_of(PT_PAE, MODE_NX | MODE_PDPTE_A, 40);

	(void)state;
	assert_int_equal(entry_reserved(&mode, 3, ~0ull), 0xffffff00000001e6);
	assert_int_equal(entry_reserved(&tolerant, 3, ~0ull), 0xffffff00000001c6);
	assert_int_equal(entry_reserved(&mode, 3, 0x000000fffffffe19), 0);
	assert_false(entry_is_leaf(&mode, 3, E_LARGE));
	assert_false(mode.format->level[3].rights);
}

static void pae_entries(void **state)
{
	struct paging_mode nx = mode_of(PT_PAE, MODE_NX, 40), no_nx = mode_of(PT_PAE, 0, 40);

	(void)state;
	assert_int_equal(entry_reserved(&nx, 1, ~0ull), 0x7fffff0000000000);
	assert_int_equal(entry_reserved(&no_nx, 1, ~0ull), 0xffffff0000000000);
	assert_int_equal(entry_reserved(&nx, 2, ~0ull), 0x7fffff00001fe000);
	assert_int_equal(entry_reserved(&nx, 2, ~0x80ull), 0x7fffff0000000000);
	assert_true(entry_is_leaf(&no_nx, 2, E_LARGE)); /* whatever PSE says */
	assert_int_equal(leaf_frame(&nx, 2, 0x8000001234fff0e7), 0x1234e00000);
}

static void long_mode_entries(void **state)
{
	struct paging_mode big = mode_of(PT_5LEVEL, MODE_NX | MODE_1G, 52);
	struct paging_mode small = mode_of(PT_4LEVEL, 0, 48);

	(void)state;
	for (int level = 4; level <= 5; level++) {
		/* Bits 8 and 7 of PML4Es and PML5Es must be zero (APM figures 5-20, 5-21). */
		assert_int_equal(entry_reserved(&big, level, ~0ull), 0x180);
		assert_false(entry_is_leaf(&big, level, ~0ull));
	}
	assert_int_equal(entry_reserved(&small, 4, ~0ull), 0x800f000000000180);
	/* Bit 8 of PDPEs and PDEs that point to tables is ignored. */
	assert_int_equal(entry_reserved(&big, 3, ~0x80ull), 0);
	assert_int_equal(entry_reserved(&big, 2, ~0x80ull), 0);
	assert_int_equal(entry_reserved(&big, 1, ~0ull), 0);
	assert_int_equal(entry_reserved(&big, 3, ~0ull), 0x3fffe000);
	assert_int_equal(entry_reserved(&big, 2, ~0ull), 0x1fe000);
	assert_true(entry_is_leaf(&big, 3, E_LARGE));
	/* Without 1 GiB pages PS is reserved at level 3. */
	assert_false(entry_is_leaf(&small, 3, E_LARGE));
	assert_int_equal(entry_reserved(&small, 3, E_LARGE), 0x80);
	assert_int_equal(leaf_frame(&big, 3, 0xfff456787fffffff), 0x4567840000000);
}

static void attribute_bits(void **state)
{
	(void)state;
	assert_int_equal(leaf_pat_index(1, 0x1018), 3);
	assert_int_equal(leaf_pat_index(1, 0x80), 4);
	assert_int_equal(leaf_pat_index(2, 0x88), 1);
	assert_int_equal(leaf_pat_index(2, 0x1090), 6);
	assert_int_equal(leaf_pat_index(3, 0x1000), 4);
}

/* Every format and mode against the reference, over entries of all kinds. */
static void agrees_with_the_reference(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		static const uint8_t widths[] = {32, 36, 39, 40, 48, 51, 52};
		uint8_t phys_bits = widths[random() % 7];
		struct paging_mode mode =
			mode_of(random() % PT_FORMATS, random() & 0xff, phys_bits);
		struct ref_mode ref_mode = rig_ref_mode(&mode);
		struct ref_state at = {.level = 1 + random() % mode.format->levels, .write = 1};
		uint64_t entry = 1 | 1ull << random() % 64 | 1ull << random() % 64;
		struct ref_step step;

		if (random() % 2)
			entry |= (uint64_t)random() << 12 & mode.address_mask;
		if (mode.format->entry_size == 4)
			entry = (uint32_t)entry;
		step = ref_look(&ref_mode, &at, 0, entry);
		assert_int_equal(!entry_reserved(&mode, at.level, entry),
		                 step.verdict != REF_FAULT);
		if (step.verdict == REF_FAULT)
			continue;
		assert_int_equal(entry_is_leaf(&mode, at.level, entry), step.verdict == REF_PAGE);
		if (step.verdict == REF_PAGE) {
			assert_int_equal(leaf_frame(&mode, at.level, entry), step.gpa);
			assert_int_equal(leaf_pat_index(at.level, entry), step.pat);
		} else {
			assert_int_equal(entry & mode.address_mask, step.next.table);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_keep_the_bits_of_their_format),
		cmocka_unit_test(indexes_are_cut_at_their_level),
		cmocka_unit_test(two_level_entries),
		cmocka_unit_test(pdptes_have_their_own_reserved_bits),
		cmocka_unit_test(pae_entries),
		cmocka_unit_test(long_mode_entries),
		cmocka_unit_test(attribute_bits),
		cmocka_unit_test(agrees_with_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
