/*
 * What an spte says: rights, memory type, size, and where it leads. checklist.md: "the leaf's
 * PAT/PCD/PWT of NPT12 count through L1's PAT"; no writable mapping before D.
 */
#include "tests/unit/mmu_test.h"

enum { UC = 0, WC = 1, WT = 4, WP = 5, WB = 6, UC_MINUS = 7 };

static unsigned int host_type(unsigned int index)
{
	return (unsigned int)(HOST_PAT >> (8 * index) & 0xff);
}

static void memory_types_are_encoded_in_the_hosts_pat(void **state)
{
	static const unsigned int types[] = {UC, WC, WT, WP, WB, UC_MINUS};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(host_type(host_pat_index(types[i])), types[i]);
	/* Reserved ones, which WRMSR refuses, are the safest. */
	assert_int_equal(host_type(host_pat_index(2)), UC);
	assert_int_equal(host_type(host_pat_index(3)), UC);
}

static void a_pat_is_packed_into_24_bits(void **state)
{
	(void)state;
	assert_int_equal(pack_pat(0x0706050403020100), 076543210);
	assert_int_equal(pack_pat(0xfffffffffffffff8), 077777770);
}

static void leaves_of_each_level(void **state)
{
	const uint64_t always = PTE_P | PTE_A | PTE_D;

	(void)state;
	assert_int_equal(leaf_spte(0x123456789fff, 1, 0, 0), 0x123456789000 | always);
	assert_int_equal(leaf_spte(0x1234567fffff, 2, 0, PTE_W),
	                 0x123456600000 | always | PTE_W | PTE_PS);
	assert_int_equal(leaf_spte(0x12347fffffff, 3, 0, PTE_NX),
	                 0x123440000000 | always | PTE_NX | PTE_PS);
	assert_int_equal(leaf_spte(0, 1, 7, 0), always | PTE_PWT | PTE_PCD | PTE_PAT);
	assert_int_equal(leaf_spte(0, 2, 4, 0), always | PTE_PS | PTE_PAT_LARGE);
	assert_int_equal(leaf_spte(0, 2, 1, 0), always | PTE_PS | PTE_PWT);
	assert_int_equal(leaf_spte(0, 1, 2, 0), always | PTE_PCD);
}

/* Each type of L1's PAT, chosen by each of its eight indexes, for small and large pages. */
static void types_go_through_both_pats(void **state)
{
	const uint64_t pat = 0x0106070005040600ull; /* L1's */

	(void)state;
	for (unsigned int index = 0; index < 8; index++) {
		uint64_t low = (index & 3) << 3;
		struct rig *rig = rig_new(4, true, 16);
		struct guest_tables tables =
			rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
		uint64_t root;

		tables.pat = pack_pat(pat);
		root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
		rig_put(rig, &tables, 0, 1, FRAME_1G | E_PAGE | low | (index & 4 ? PTE_PAT : 0));
		rig_put(rig, &tables, 2 * MIB, 2,
		        FRAME_1G | E_LARGE | low | (index & 4 ? PTE_PAT_LARGE : 0));
		rig_put(rig, &tables, GIB, 3,
		        FRAME_4K / GIB * GIB | E_LARGE | low | (index & 4 ? PTE_PAT_LARGE : 0));
		for (uint64_t address = 0; address <= GIB;
		     address += address ? GIB - 2 * MIB : 2 * MIB) {
			assert_int_equal(rig_access(rig, 0, &tables, address, 0), RIG_OK);
			assert_int_equal(host_type(rig_walk(rig, root, address).pat),
			                 pat >> (8 * index) & 7);
		}
		rig_free(rig);
	}
}

/*
 * What L1's memory is (rows: UC, WC, WT, WP, WB; UC- where UC is to give way to WC) and what the
 * guest's entry says make together what PAT and MTRRs make (APM vol. 2, section 7.8.5).
 */
static void types_of_memory_are_combined(void **state)
{
	static const unsigned int of[] = {UC, UC_MINUS, WC, WP, WT, WB};
	static const unsigned int expected[][6] = {
		{UC, UC, WC, UC, UC, UC},
		{UC, UC_MINUS, WC, UC_MINUS, UC_MINUS, UC_MINUS},
		{UC, WC, WC, UC_MINUS, UC_MINUS, WC},
		{UC, UC_MINUS, WC, WP, UC_MINUS, WP},
		{UC, UC_MINUS, WC, UC_MINUS, WT, WT},
		{UC, UC_MINUS, WC, WP, WT, WB},
	};

	(void)state;
	for (unsigned int memory = 0; memory < 6; memory++) {
		struct rig *rig = rig_new(4, true, 64);
		uint64_t npt01 = mmu_direct_root(&rig->mmu, &rig->cpu[0]);

		rig->typed = true;
		rig->type = (uint8_t)of[memory];
		assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], FRAME_1G));
		assert_int_equal(host_type(rig_walk(rig, npt01, FRAME_1G).pat), of[memory]);
		for (unsigned int leaf = 0; leaf < 6; leaf++) {
			struct guest_tables tables =
				rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
			uint64_t root;

			tables.pat = pack_pat(of[leaf]);
			root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
			rig_put(rig, &tables, 0, 1, FRAME_1G | E_PAGE);
			rig_put(rig, &tables, GIB, 3, 3 * GIB | E_LARGE); /* in pieces */
			assert_int_equal(rig_access(rig, 0, &tables, 0, 0), RIG_OK);
			assert_int_equal(host_type(rig_walk(rig, root, 0).pat),
			                 expected[memory][leaf]);
			assert_int_equal(rig_access(rig, 0, &tables, GIB, 0), RIG_OK);
			assert_int_equal(host_type(rig_walk(rig, root, GIB).pat),
			                 expected[memory][leaf]);
		}
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* The same range, with another type behind what L1 has just moved. */
static void types_of_memory_move(void **state)
{
	struct rig *rig = rig_new(4, true, 16);
	struct guest_tables tables =
		rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
	uint64_t npt01 = mmu_direct_root(&rig->mmu, &rig->cpu[0]), root;

	(void)state;
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
	rig_put(rig, &tables, 0, 1, FRAME_1G | E_PAGE);
	rig_put(rig, &tables, GIB, 3, FRAME_1G | E_LARGE);
	for (unsigned int i = 0; i < 4; i++) {
		rig->typed = i & 1;
		rig->type = i & 2 ? UC_MINUS : WT;
		mmu_drop_leaves(&rig->mmu);
		assert_int_equal(rig_access(rig, 0, &tables, 0, ACCESS_WRITE), RIG_OK);
		assert_int_equal(rig_access(rig, 0, &tables, GIB, ACCESS_WRITE), RIG_OK);
		mmu_direct_fault(&rig->mmu, &rig->cpu[0], FRAME_1G);
		for (unsigned int at = 0; at < 3; at++) {
			struct host_result walk = at < 2 ? rig_walk(rig, root, at * GIB)
			                                 : rig_walk(rig, npt01, FRAME_1G);

			assert_int_equal(walk.status, HOST_OK);
			assert_int_equal(host_type(walk.pat), rig->typed ? rig->type : WB);
		}
	}
	assert_ok_invariants(rig);
	rig_free(rig);
}

static void leaves_are_as_large_as_both_allow(void **state)
{
	static const struct {
		uint64_t frame;
		int guest_level;
		bool host_1g;
		int hole_level, expected;
	} cases[] = {
		{FRAME_1G, 3, true, 0, 3},  {FRAME_1G, 3, false, 0, 2}, {FRAME_1G, 2, true, 0, 2},
		{FRAME_1G, 1, true, 0, 1},  {FRAME_1G, 3, true, 2, 2},  {FRAME_1G, 3, true, 1, 1},
		{FRAME_2M, 3, true, 0, 2},  {FRAME_4K, 2, true, 0, 1},  {FRAME_2M, 2, true, 1, 1},
		{FRAME_2M, 1, false, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = rig_new(4, cases[i].host_1g, 16);
		struct guest_tables tables =
			rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
		uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
		struct host_result walk;

		rig->hole_level = cases[i].hole_level;
		rig_put(rig, &tables, 0, cases[i].guest_level,
		        cases[i].frame | (cases[i].guest_level > 1 ? E_LARGE : E_PAGE));
		assert_int_equal(rig_access(rig, 0, &tables, 0x789, ACCESS_WRITE), RIG_OK);
		walk = rig_walk(rig, root, 0x789);
		assert_int_equal(walk.hpa, rig_map(cases[i].frame).hpa | 0x789);
		assert_int_equal(walk.level, cases[i].expected);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* A large page of L1's that L0 maps in pieces: each piece is the right one, the hole is nobody's.
 */
static void pieces_of_a_large_page(void **state)
{
	struct rig *rig = rig_new(4, true, 16);
	struct guest_tables tables =
		rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
	uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

	(void)state;
	rig_put(rig, &tables, 7 * GIB, 3, 3 * GIB | (E_LARGE & ~PTE_W) | PTE_NX);
	for (uint64_t at = 0; at < 5 * MIB; at += 0x3000) {
		struct host_result walk;

		assert_int_equal(rig_access(rig, 0, &tables, 7 * GIB + at, 0), RIG_OK);
		walk = rig_walk(rig, root, 7 * GIB + at);
		assert_int_equal(walk.hpa, rig_map(3 * GIB + at).hpa);
		assert_false(walk.write || walk.execute);
	}
	assert_int_equal(rig_access(rig, 0, &tables, 7 * GIB + 2 * MIB + 0x5000, 0), RIG_OK);
	assert_int_equal(rig_walk(rig, root, 7 * GIB + 2 * MIB + 0x5000).hpa, RIG_NOBODY);
	/* The parts are shared by whoever maps the range with the same type, whatever the rights.
	 */
	uint32_t free = rig->mmu.free_count;

	rig_put(rig, &tables, 0, 3, 3 * GIB | E_LARGE);
	assert_int_equal(rig_access(rig, 0, &tables, 2 * MIB, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig->mmu.free_count, free);
	assert_true(rig_walk(rig, root, 2 * MIB).write);
	assert_false(rig_walk(rig, root, 7 * GIB + 2 * MIB).write);
	assert_ok_invariants(rig);
	rig_free(rig);
}

static void reads_map_no_clean_page_writable(void **state)
{
	struct rig *rig = rig_new(4, true, 16);
	struct guest_tables tables = rig_guest(PT_4LEVEL, MODE_NX, 40, rig_new_table(rig));
	uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

	(void)state;
	rig_put(rig, &tables, 0, 1, FRAME_1G | E_CLEAN);
	rig_put(rig, &tables, 0x1000, 1, FRAME_1G | E_PAGE);
	rig_put(rig, &tables, 2 * MIB, 2, FRAME_4K | (E_LARGE & ~PTE_D));
	assert_int_equal(rig_access(rig, 0, &tables, 0, 0), RIG_OK);
	assert_false(rig_walk(rig, root, 0).write);
	assert_int_equal(rig_access(rig, 0, &tables, 0x1000, 0), RIG_OK);
	assert_true(rig_walk(rig, root, 0x1000).write);
	assert_int_equal(rig_access(rig, 0, &tables, 2 * MIB, 0), RIG_OK);
	assert_false(rig_walk(rig, root, 2 * MIB).write);
	assert_int_equal(rig_access(rig, 0, &tables, 2 * MIB, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_get(rig, &tables, 2 * MIB, 2), FRAME_4K | E_LARGE);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_types_are_encoded_in_the_hosts_pat),
		cmocka_unit_test(a_pat_is_packed_into_24_bits),
		cmocka_unit_test(leaves_of_each_level),
		cmocka_unit_test(types_go_through_both_pats),
		cmocka_unit_test(types_of_memory_are_combined),
		cmocka_unit_test(types_of_memory_move),
		cmocka_unit_test(leaves_are_as_large_as_both_allow),
		cmocka_unit_test(pieces_of_a_large_page),
		cmocka_unit_test(reads_map_no_clean_page_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
