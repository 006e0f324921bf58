/*
 * The glance that stands for a search where nothing changes: it is taken, and whatever a search
 * would find ends it.
 */
#include "mmu/glance.h"
#include "tests/unit/cpus_test.h"

enum { PATIENCE = 80 };

static uint64_t glances(const struct machine *m)
{
	return m->mmu->counters->glances;
}

/* Flushes until a glance is enough, and then takes one. */
static void settle_down(struct machine *m)
{
	uint64_t before = glances(m);

	for (int i = 0; glances(m) == before && i < PATIENCE; i++) {
		for (int cpu = 0; cpu < RIG_CPUS; cpu++)
			mmu_direct_flushed(&m->cpu[cpu]);
		flush_and_run(m);
	}
	assert_int_equal(flush_and_run(m), 0);
	assert_true(glances(m) > before + 1);
}

/* All are at rest, where one may be. */
static void fall_asleep(struct machine *m)
{
	for (int cpu = 0; cpu < 2; cpu++)
		m->cpu[cpu].flush_direct = true;
	mmu_flush_all_asids(m->cpu);
	flush_and_run(m);
	settle_down(m);
	assert_false(*path_of(m, 0, m->table).above & PTE_A);
	assert_false(*path_of(m, 1, m->table).upper & PTE_A);
}

/* What was written now is read at the next flush, and is seen. */
static void expect_read(struct machine *m)
{
	uint64_t before = glances(m);

	assert_true(flush_and_run(m) > 0);
	assert_int_equal(glances(m), before);
	assert_int_equal(leads_to(m), FRAME_B);
}

static void writes_where_it_is_awake(struct machine *m, int cpu)
{
	begin(m);
	settle_down(m);
	*reach(m, cpu, m->table) |= PTE_D;
	edit(m, FRAME_B);
	expect_read(m);
}

static void a_written_leaf_ends_it(void **state)
{
	writes_where_it_is_awake(*state, 0);
}

static void a_leaf_that_another_wrote_ends_it(void **state)
{
	writes_where_it_is_awake(*state, 1);
}

static void writes_where_it_was_at_rest(struct machine *m, int cpu)
{
	begin(m);
	fall_asleep(m);
	write_by(path_of(m, cpu, m->table));
	edit(m, FRAME_B);
	expect_read(m);
}

static void who_comes_to_a_region_at_rest_ends_it(void **state)
{
	writes_where_it_was_at_rest(*state, 0);
}

static void another_that_comes_there_ends_it(void **state)
{
	writes_where_it_was_at_rest(*state, 1);
}

/* The giant is awake, as L1 is in another region of it; the table's region is at rest. */
static void who_comes_to_one_below_an_entry_that_is_cached_ends_it(void **state)
{
	struct machine *m = *state;
	struct path path;

	begin(m);
	fall_asleep(m);
	path = path_of(m, 0, m->table);
	*path.upper |= PTE_A;
	settle_down(m);
	*path.above |= PTE_A;
	*path.leaf |= PTE_D;
	edit(m, FRAME_B);
	expect_read(m);
}

static void others_writes_end_it(void **state)
{
	struct machine *m = *state;
	uint64_t spte = (m->table & -(2 * MIB)) | PTE_P | PTE_W;

	begin(m);
	fall_asleep(m);
	edit(m, FRAME_B);
	mmu_note_write(m->mmu, m->table);
	expect_read(m);
	settle_down(m);
	track_leaf(m->mmu, spte, 2);
	assert_true(flush_and_run(m) > 0);
	assert_true(flush_and_run(m) > 0);
	untrack_leaf(m->mmu, spte, 2);
}

/* Another processor has not flushed since its D was cleared: it may write without a mark. */
static void what_is_unarmed_ends_it(void **state)
{
	struct machine *m = *state;

	begin(m);
	settle_down(m);
	*reach(m, 1, m->table) |= PTE_D;
	assert_true(mmu_watch_written(m->mmu, m->cpu, m->table));
	edit(m, FRAME_B);
	expect_read(m);
	for (int i = 0; i < PATIENCE; i++)
		assert_true(flush_and_run(m) > 0);
}

static void another_table_ends_it(void **state)
{
	struct machine *m = *state;
	uint64_t other = ADDRESS + 2 * MIB, table;

	begin(m);
	settle_down(m);
	rig_put(m->rig, &m->tables, other, 1, FRAME_A | E_PAGE);
	table = rig_entry(m->rig, &m->tables, other, 1) & ~0xfffull;
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	*reach(m, 0, table) |= PTE_D;
	rig_put(m->rig, &m->tables, other, 1, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, other).hpa, FRAME_B);
}

/* A region that was woken at once stays awake for some flushes; a glance does not keep it so. */
static void what_may_fall_asleep_does(void **state)
{
	struct machine *m = *state;
	struct path path;
	int flushes = 0;

	begin(m);
	fall_asleep(m);
	path = path_of(m, 0, m->table);
	for (int woken = 0; woken < 4; woken++) {
		for (flushes = 0; flushes < PATIENCE; flushes++) {
			mmu_flush_all_asids(m->cpu);
			*path.above |= PTE_A;
			*path.upper |= PTE_A;
			flush_and_run(m);
			mmu_direct_flushed(m->cpu);
			if (!(*path.above & PTE_A))
				break;
		}
	}
	assert_int_equal(flushes, 7); /* 1, 3, 7, … */
	assert_true(glances(m) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_written_leaf_ends_it),
		TEST(a_leaf_that_another_wrote_ends_it),
		TEST(who_comes_to_a_region_at_rest_ends_it),
		TEST(another_that_comes_there_ends_it),
		TEST(who_comes_to_one_below_an_entry_that_is_cached_ends_it),
		TEST(others_writes_end_it),
		TEST(what_is_unarmed_ends_it),
		TEST(another_table_ends_it),
		TEST(what_may_fall_asleep_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
