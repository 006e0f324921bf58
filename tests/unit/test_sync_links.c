/*
 * Synchronization where tables are linked: shared ones, orphans, and what becomes a large page or
 * was one, is as a flush has left it.
 */
#include "tests/unit/sync_test.h"

/*
 * A page that two roots share and that was synchronized for the one may be linked by the other
 * only as it is then: B's processor never saw what stood in the table before.
 */
static void a_shared_table_is_fresh_when_it_is_linked(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	rig_entry(m.rig, &m.b, ADDRESS, 2);
	run(&m, 0, &m.b, OTHER_ASID);
	run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
	root = run(&m, 0, &m.b, OTHER_ASID);
	rig_put(m.rig, &m.b, ADDRESS, 2, rig_get(m.rig, &m.a, ADDRESS, 2));
	rig_put(m.rig, &m.b, ADDRESS + 0x1000, 1, FRAME_B | E_PAGE);
	assert_int_equal(touch(&m, &m.b, ADDRESS + 0x1000, 0), RIG_OK);
	assert_int_equal(touch(&m, &m.b, ADDRESS, 0), RIG_OK);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	end(&m);
}

/*
 * When a table's entry gains a right, the processor has nothing cached that has it: what stands
 * below must be as fresh as the right.
 */
static void a_right_gained_above_does_not_revive_old_pages(void **state)
{
	static const uint64_t gained[] = {PTE_W, PTE_NX};

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint32_t access = gained[i] == PTE_W ? ACCESS_WRITE : ACCESS_FETCH;
		struct machine m;
		uint64_t root, table;
		struct host_result walk;

		start(&m);
		rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
		rig_put(m.rig, &m.a, ADDRESS + 0x1000, 1, FRAME_1G | E_PAGE);
		table = rig_get(m.rig, &m.a, ADDRESS, 2);
		rig_put(m.rig, &m.a, ADDRESS, 2, table ^ gained[i]);
		root = run(&m, 0, &m.a, ASID);
		assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
		assert_int_equal(touch(&m, &m.a, ADDRESS, access), REFLECTED(i ? 0x15 : 7));
		rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
		rig_put(m.rig, &m.a, ADDRESS, 2, table);
		assert_int_equal(touch(&m, &m.a, ADDRESS + 0x1000, access), RIG_OK);
		walk = rig_walk(m.rig, root, ADDRESS);
		if (walk.hpa == HPA(FRAME_A))
			assert_false(i ? walk.execute : walk.write);
		assert_int_equal(touch(&m, &m.a, ADDRESS, access), RIG_OK);
		assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
		end(&m);
	}
}

/* Tables that lost their parents to reclaim are not forgotten to be synchronized. */
static void an_orphan_is_fresh_when_it_is_linked_again(void **state)
{
	struct machine m;
	uint64_t root;
	uint64_t old;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	old = rig_get(m.rig, &m.a, ADDRESS, 3);
	root = run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	rig_put(m.rig, &m.a, ADDRESS, 3, 0);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	rig_put(m.rig, &m.a, ADDRESS, 3, old);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
	rig_put(m.rig, &m.a, ADDRESS + 2 * MIB, 1, FRAME_A | E_PAGE);
	touch(&m, &m.a, ADDRESS + 2 * MIB, 0);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	end(&m);
}

static void a_table_is_read_once_per_flush(void **state)
{
	struct machine m;
	uint64_t read;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, 0, 1, FRAME_A | E_PAGE);
	for (uint64_t i = 1; i < 8; i++) /* eight ways to the same table */
		rig_put(m.rig, &m.a, i * 2 * MIB, 2, rig_get(m.rig, &m.a, 0, 2));
	run(&m, 0, &m.a, ASID);
	for (uint64_t i = 0; i < 8; i++)
		touch(&m, &m.a, i * 2 * MIB, 0);
	read = m.rig->mmu.counters->tables_read;
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(m.rig->mmu.counters->tables_read - read, 4);
	assert_int_equal(m.rig->mmu.counters->sptes_changed, 0);
	end(&m);
}

/* More access shows without a flush, where small leaves stood for the large page, too. */
static void a_large_page_becomes_the_table_at_its_address(void **state)
{
	struct machine m;
	uint64_t root, table;

	(void)state;
	start(&m);
	m.rig->hole_level = 1;
	table = m.a.root & ~(2 * MIB - 1);
	assert_int_equal(table, m.a.root);
	rig_put(m.rig, &m.a, ADDRESS, 2, table | E_LARGE);
	root = run(&m, 0, &m.a, ASID);
	assert_int_equal(touch(&m, &m.a, ADDRESS + 0x3000, 0), RIG_OK);
	assert_int_equal(seen(&m, root, ADDRESS + 0x3000), HPA(table + 0x4000));
	ram_write(&m.rig->ram, table + 8 * (ADDRESS >> 12 & 511), 8, FRAME_A | E_PAGE);
	rig_put(m.rig, &m.a, ADDRESS, 2, table | E_TABLE);
	assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	end(&m);
}

static void tables_become_large_pages_and_back(void **state)
{
	struct machine m;
	uint64_t root, table;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	table = rig_get(m.rig, &m.a, ADDRESS, 2);
	root = run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	rig_put(m.rig, &m.a, ADDRESS, 2, FRAME_1G + 2 * MIB + E_LARGE);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_1G + 2 * MIB + ADDRESS % (2 * MIB)));
	assert_int_equal(rig_walk(m.rig, root, ADDRESS).level, 2);
	rig_put(m.rig, &m.a, ADDRESS, 2, table);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	/* A large page that L0 maps by a direct table: another frame, type and right in it. */
	rig_put(m.rig, &m.a, ADDRESS, 2, FRAME_4K | E_LARGE);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_4K + 0x1000));
	rig_put(m.rig, &m.a, ADDRESS, 2, (FRAME_4K + 4 * MIB) | E_LARGE | PTE_PCD);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(seen(&m, root, ADDRESS), 0);
	touch(&m, &m.a, ADDRESS, ACCESS_WRITE);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_4K + 4 * MIB + 0x1000));
	rig_put(m.rig, &m.a, ADDRESS, 2, (FRAME_4K + 4 * MIB) | (E_LARGE & ~PTE_W));
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
	assert_false(writable(&m, root, ADDRESS));
	end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_table_is_fresh_when_it_is_linked),
		cmocka_unit_test(a_right_gained_above_does_not_revive_old_pages),
		cmocka_unit_test(an_orphan_is_fresh_when_it_is_linked_again),
		cmocka_unit_test(a_table_is_read_once_per_flush),
		cmocka_unit_test(a_large_page_becomes_the_table_at_its_address),
		cmocka_unit_test(tables_become_large_pages_and_back),
	};

	return cmocka_run_group_tests_name("sync_links", tests, NULL, NULL);
}
