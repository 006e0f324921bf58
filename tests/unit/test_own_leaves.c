/*
 * Write protection of tables without nested paging: who may write a frame that has a shadow. All
 * leaves that lead to it are found, small and large, by whatever root.
 */
#include "tests/unit/own_table.h"

/* A frame that becomes a table can be written by no leaf that maps it any more. */
static void tables_are_read_only_everywhere(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);

	for (uint64_t i = 0; i < 5; i++)
		rig_put(b->rig, &b->tables, DATA + i * 0x1000, 1, table | E_PAGE);
	own_mov_cr3(b);
	for (uint64_t i = 0; i < 5; i += 2) /* DATA has the same table: it is one now */
		assert_int_equal(own_touch(b, DATA + i * 0x1000, 0), RIG_OK);
	assert_int_equal(own_touch(b, window(table), 0), RIG_OK);
	assert_false(writable(b, window(table)));
	for (uint64_t i = 0; i < 5; i++)
		assert_false(writable(b, DATA + i * 0x1000));
	/* The first write takes the rest along as they fault, one by one. */
	write_to(b, window(table));
	assert_true(b->mmu->frames[table >> 12] & FRAME_DIRTY);
	write_to(b, DATA);
	assert_false(writable(b, DATA + 0x2000));
	write_to(b, DATA + 0x2000);
	b->rig->flushes = 0;
	own_mov_cr3(b);
	assert_true(b->rig->flushes > 0);
	assert_false(writable(b, window(table)) || writable(b, DATA) || writable(b, DATA + 0x2000));
	assert_true(own_look(b, DATA).status == OWN_OK);
}

/* Leaves of other roots, too, and those of direct maps. */
static void other_roots_are_looked_at(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS), direct, l2;
	struct guest_tables off = own_direct(), other = b->tables;
	struct own_seen seen;

	direct = mmu_load_root(b->mmu, b->cpu, &off, L1_ASID);
	assert_int_equal(own_touch_by(b, &off, direct, table, ACCESS_WRITE), RIG_OK);
	other.root = rig_new_table(b->rig);
	rig_put(b->rig, &other, 0x1000, 1, table | E_PAGE);
	if (other.mode.id == PT_PAE)
		other.mode.pdptes = NULL;
	l2 = mmu_load_root(b->mmu, b->cpu, &other, L2_ASID);
	assert_int_equal(own_touch_by(b, &other, l2, 0x1000, ACCESS_WRITE), RIG_OK);
	b->rig->flushes = 0;
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_true(b->rig->flushes > 0);
	seen = own_walk(b->rig, own_start(direct, 3), table);
	assert_true(seen.status == OWN_MISSING || !seen.write);
	seen = own_walk(b->rig, own_start(l2, own_levels(&other)), 0x1000);
	assert_true(seen.status == OWN_OK && !seen.write);
	/* By such ways it can be written as by any other. */
	own_mov_cr3(b);
	mmu_load_root(b->mmu, b->cpu, &off, L1_ASID);
	assert_int_equal(own_touch_by(b, &off, direct, table, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), table).level, 1);
	ram_write(&b->rig->ram, rig_entry(b->rig, &b->tables, ADDRESS, 1), 8, FRAME_B | E_PAGE);
	own_mov_cr3(b);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
}

/* Large pages go where a table is, and only there: 2 MiB around it get small ones. */
static void large_pages_make_way(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS), in = table - 2 * MIB;

	for (int level = 2; level <= 3; level++) {
		rig_put(b->rig, &b->tables, FAR * (uint64_t)level, level,
		        (level == 2 ? 2 * MIB : 0) | E_LARGE);
		if (level == 2)
			rig_put(b->rig, &b->tables, FAR * 2 + 2 * MIB, 2, 4 * MIB | E_LARGE);
	}
	/* Nothing is a table yet but what leads there: none of it in the first 1 GiB, if asked
	 * before. */
	own_mov_cr3(b);
	for (uint64_t far = 2 * FAR; far <= 3 * FAR; far += FAR) {
		uint64_t around = far == 2 * FAR ? far : far + 2 * MIB;

		write_to(b, around + in + 0x100000);
		write_to(b, around + 2 * MIB);
		assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
		assert_int_equal(own_touch(b, around + in, 0), RIG_OK);
		assert_false(writable(b, around + in));
		assert_int_equal(own_look(b, around + in).hpa, table);
		assert_int_equal(own_look(b, around + in).level, 1);
		assert_int_equal(own_look(b, around + 2 * MIB).level, 2);
		write_to(b, around + in);
		own_mov_cr3(b);
		assert_false(writable(b, around + in));
	}
}

/* A large leaf that is there when its frame becomes a table is dropped at once, with a flush. */
static void a_large_leaf_is_dropped(void **state)
{
	struct own_bench *b = *state;
	struct guest_tables off = own_direct();
	uint64_t direct = mmu_load_root(b->mmu, b->cpu, &off, L1_ASID),
		 table = table_of(b, ADDRESS);

	pool_reserve(b->mmu, b->mmu->page_count - 1); /* tables are none any more */
	assert_int_equal(own_touch_by(b, &off, direct, table, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_touch_by(b, &off, direct, 4 * MIB, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), table).level, 2);
	b->rig->flushes = 0;
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_true(b->rig->flushes > 0);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), table).status, OWN_MISSING);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), 4 * MIB).level, 2);
	assert_int_equal(own_touch_by(b, &b->tables, b->root, ADDRESS, 0), RIG_OK);
}

/* The same for 1 GiB: what comes back are pages of 2 MiB, and of 4 KiB around the table. */
static void a_leaf_of_1_gib_is_dropped(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = RAM_HIGH_GPA + 0x2000;

	rig_put(b->rig, &b->tables, FAR, 3, RAM_HIGH_GPA | E_LARGE);
	rig_put(b->rig, &b->tables, ADDRESS + 4 * MIB, 2, table | E_TABLE);
	own_mov_cr3(b);
	write_to(b, FAR + 0x2000);
	assert_int_equal(own_look(b, FAR).level, 3);
	b->rig->flushes = 0;
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), REFLECTED(0));
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), REFLECTED(0));
	ram_write(&b->rig->ram, table + 8, 8, FRAME_A | E_PAGE);
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), RIG_OK);
	assert_true(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	assert_true(b->rig->flushes > 0);
	assert_int_equal(own_look(b, FAR + 0x2000).status, OWN_MISSING);
	assert_int_equal(own_touch(b, FAR + 0x2000, 0), RIG_OK);
	assert_false(writable(b, FAR + 0x2000));
	assert_int_equal(own_look(b, FAR + 0x2000).level, 1);
	write_to(b, FAR + 2 * MIB);
	assert_int_equal(own_look(b, FAR + 2 * MIB).level, 2);
}

/* The processor may still write by a leaf that has gone: a new table waits for the flush. */
static void stale_writers_are_flushed(void **state)
{
	struct own_bench *b = *state;
	uint64_t frame = rig_new_table(b->rig);

	rig_put(b->rig, &b->tables, DATA, 1, frame | E_PAGE);
	rig_put(b->rig, &b->tables, ADDRESS + 4 * MIB, 2, frame | E_TABLE);
	own_mov_cr3(b);
	write_to(b, DATA);
	own_put(b, DATA, 1, 0);
	b->rig->flushes = 0;
	mmu_invlpg(b->mmu, b->cpu, &b->tables, DATA); /* L2s' ASIDs are not flushed */
	assert_int_equal(own_look(b, DATA).status, OWN_MISSING);
	assert_int_equal(b->rig->flushes, 0);
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), REFLECTED(0));
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, ACCESS_WRITE), REFLECTED(2));
	ram_write(&b->rig->ram, frame + 8, 8, FRAME_A | E_PAGE);
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), RIG_OK);
	assert_true(b->mmu->frames[frame >> 12] & FRAME_TRACKED);
	assert_int_equal(b->rig->flushes, 1);
}

/* Sptes come and go at random; the list of each frame has exactly those that let it be written. */
static void the_reverse_map_is_exact(void **state)
{
	struct own_bench *b = *state;
	struct shadow_page *page[4];
	uint64_t random = 1;
	bool found;

	for (unsigned int i = 0; i < 4; i++)
		page[i] = page_get(b->mmu, 0x10000000 + i * 0x1000,
		                   (union shadow_role){.level = i < 2 ? 1 : i & 3, .direct = 1},
		                   &found);
	for (int i = 0; i < 4000; i++) {
		unsigned int n, index;
		uint64_t frame;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		n = random >> 33 & 3;
		index = random >> 36 & 31;
		frame = 0x10000000 + (random >> 42 & 3) * 0x1000;
		if (page[n]->role.level > 1)
			frame = ((random >> 42 & 1) + 1) << 30; /* where no table is */
		if (random >> 48 & 1)
			frame = 64 * GIB; /* beyond memory */
		if (random >> 52 & 1)
			spte_clear(b->mmu, page[n], index);
		else
			spte_set(b->mmu, page[n], index,
			         leaf_spte(frame, (int)page[n]->role.level, 0,
			                   PTE_U | (random >> 50 & 1 ? PTE_W : 0)));
		if (i % 200 == 0)
			assert_null(own_broken_list(b->rig));
	}
	for (unsigned int i = 0; i < 4; i++)
		page_zap(b->mmu, page[i]);
}

/* Sixty leaves for one frame: all of them lose W, and only they. */
static void many_leaves_of_one_frame(void **state)
{
	struct own_bench *b = *state;
	uint64_t frame = rig_new_table(b->rig);

	for (uint64_t i = 0; i < 60; i++)
		rig_put(b->rig, &b->tables, DATA + i * 0x1000, 1,
		        (i % 3 ? frame : FRAME_A) | E_PAGE);
	own_mov_cr3(b);
	for (uint64_t i = 0; i < 60; i++)
		write_to(b, DATA + i * 0x1000);
	own_put(b, ADDRESS + 4 * MIB, 2, frame | E_TABLE);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), REFLECTED(0));
	ram_write(&b->rig->ram, frame + 8, 8, FRAME_B | E_PAGE);
	assert_int_equal(own_touch(b, ADDRESS + 4 * MIB, 0), RIG_OK);
	for (uint64_t i = 0; i < 60; i++)
		assert_int_equal(writable(b, DATA + i * 0x1000), i % 3 == 0);
}

/* Memory types moved: no leaf stays; protection does. */
static void dropping_leaves(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);

	rig_put(b->rig, &b->tables, FAR, 2, 4 * MIB | E_LARGE);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_touch(b, window(table), 0), RIG_OK);
	assert_false(writable(b, window(table)));
	write_to(b, FAR);
	b->rig->flushes = 0;
	mmu_drop_leaves(b->mmu);
	assert_true(b->rig->flushes > 0);
	assert_int_equal(own_look(b, FAR).status, OWN_MISSING);
	assert_int_equal(own_look(b, window(table)).status, OWN_MISSING);
	assert_int_equal(own_touch(b, window(table), 0), RIG_OK);
	assert_false(writable(b, window(table)));
	b->rig->hole_level = 1;
	b->mmu->maps++;
	write_to(b, FAR);
	assert_int_equal(own_look(b, FAR).level, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables_are_read_only_everywhere),
		TEST_PAE(tables_are_read_only_everywhere),
		TEST(other_roots_are_looked_at),
		TEST_PAE(other_roots_are_looked_at),
		TEST(large_pages_make_way),
		TEST(a_large_leaf_is_dropped),
		TEST_PAE(a_large_leaf_is_dropped),
		TEST(a_leaf_of_1_gib_is_dropped),
		TEST(stale_writers_are_flushed),
		TEST(the_reverse_map_is_exact),
		TEST(many_leaves_of_one_frame),
		TEST(dropping_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
