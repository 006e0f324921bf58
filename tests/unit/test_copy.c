/*
 * Copies of hot tables: what is compared with them shows as if all had been read again, they never
 * outlive what they are copies of, and they stay few.
 */
#include "tests/unit/cpus_test.h"

enum { OFTEN = 8, NEAR = 40 };

#define BESIDE(n) (ADDRESS + 0x1000ull * (n))

/* L1 writes an entry by processor 0. */
static void put_at(struct machine *m, uint64_t address, int level, uint64_t entry)
{
	uint64_t gpa = rig_entry(m->rig, &m->tables, address, level);

	*reach(m, 0, gpa & ~0xfffull) |= PTE_D;
	ram_write(&m->rig->ram, gpa, m->tables.mode.format->entry_size, entry);
}

static void put(struct machine *m, unsigned int n, uint64_t entry)
{
	put_at(m, BESIDE(n), 1, entry);
}

static uint64_t leads(struct machine *m, uint64_t address)
{
	struct host_result seen = rig_walk(m->rig, m->root, address);

	assert_ok_invariants(m->rig);
	return seen.status == HOST_OK ? seen.hpa : 0;
}

static void touch(struct machine *m, unsigned int n)
{
	assert_int_equal(rig_access(m->rig, 0, &m->tables, BESIDE(n), 0), RIG_OK);
	assert_ok_invariants(m->rig);
}

static struct shadow_page *shadow_of(struct machine *m, uint64_t address, int level)
{
	return page_shadows(m->mmu, rig_entry(m->rig, &m->tables, address, level) & ~0xfffull);
}

/* The table of this level is written and flushed so often that it has a copy; NEAR pages are in
 * use. */
static void heat(struct machine *m, int level)
{
	begin(m);
	for (unsigned int n = 0; n < NEAR; n++) {
		put(m, n, FRAME_A | E_PAGE);
		touch(m, n);
	}
	for (int i = 0; i < OFTEN; i++) {
		put_at(m, ADDRESS, level, rig_get(m->rig, &m->tables, ADDRESS, level));
		flush_and_run(m);
	}
	assert_non_null(shadow_of(m, ADDRESS, level)->copy);
	assert_ok_invariants(m->rig);
}

static void only_what_differs_is_derived_again(void **state)
{
	struct machine *m = *state;
	struct mmu_counters before;

	heat(m, 1);
	for (unsigned int n = 0; n < NEAR; n++) {
		before = m->cpu[0].counters;
		put(m, n, FRAME_B | E_PAGE);
		flush_and_run(m);
		assert_int_equal(m->cpu[0].counters.copies_used, before.copies_used + 1);
		assert_int_equal(m->cpu[0].counters.sptes_changed, before.sptes_changed + 1);
		for (unsigned int other = 0; other < NEAR; other++)
			assert_int_equal(leads(m, BESIDE(other)), other <= n ? FRAME_B : FRAME_A);
	}
	/* All that an entry says counts. */
	put(m, 3, FRAME_B | E_READ_ONLY | PTE_D | PTE_NX);
	flush_and_run(m);
	assert_false(rig_walk(m->rig, m->root, BESIDE(3)).write);
	assert_false(rig_walk(m->rig, m->root, BESIDE(3)).execute);
	put(m, 3, (FRAME_B | E_PAGE) & ~PTE_A);
	flush_and_run(m);
	assert_int_equal(leads(m, BESIDE(3)), 0);
}

/* A leaf that goes to a page beside the one before is set in place, and counts as it did. */
static void what_moves_is_set_in_place(void **state)
{
	struct machine *m = *state;
	struct mmu_counters before;

	heat(m, 1);
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t from = FRAME_A + 0x10000 * i, to = from + 0x10000;

		put(m, 0, to | E_PAGE); /* by the whole way, which asks where it is */
		m->mmu->maps++;
		flush_and_run(m);
		before = m->cpu[0].counters;
		put(m, 0, from | E_PAGE);
		m->rig->asked = 1; /* what is said is remembered */
		flush_and_run(m);
		put(m, 0, to | E_PAGE);
		flush_and_run(m);
		assert_true(m->cpu[0].counters.leaves_moved > before.leaves_moved);
		assert_int_equal(leads(m, ADDRESS), to);
		assert_true(rig_walk(m->rig, m->root, ADDRESS).write);
	}
	/* All else that changes takes the whole way. */
	before = m->cpu[0].counters;
	put(m, 0, FRAME_B | E_READ_ONLY | PTE_D);
	flush_and_run(m);
	assert_int_equal(m->cpu[0].counters.leaves_moved, before.leaves_moved);
	assert_int_equal(leads(m, ADDRESS), FRAME_B);
	assert_false(rig_walk(m->rig, m->root, ADDRESS).write);
}

/* A page that L0 maps alone is in no row with others: it may have other rights. */
static void what_moves_from_or_to_elsewhere(void **state)
{
	struct machine *m = *state;
	uint64_t apart = FRAME_A + 64 * MIB;

	heat(m, 1);
	m->rig->hole_level = 2;
	m->rig->read_only = FRAME_A;
	mmu_drop_leaves(m->mmu);
	put(m, 0, apart | E_PAGE);
	m->rig->asked = 1; /* what is said is remembered */
	touch(m, 0);
	put(m, 0, FRAME_A | E_PAGE);
	m->rig->asked = 1;
	flush_and_run(m);
	assert_int_equal(leads(m, ADDRESS), FRAME_A);
	assert_false(rig_walk(m->rig, m->root, ADDRESS).write);
	put(m, 0, apart | E_PAGE);
	flush_and_run(m);
	assert_int_equal(leads(m, ADDRESS), apart);
	assert_true(rig_walk(m->rig, m->root, ADDRESS).write);
}

/* Another ASID never sees what this one was shown. */
static void what_moves_is_noted(void **state)
{
	struct machine *m = *state;
	uint64_t moved = m->cpu[0].counters.leaves_moved;

	heat(m, 1);
	put(m, 0, FRAME_B | E_PAGE);
	m->rig->asked = 1;
	m->mmu->maps++;
	flush_and_run(m); /* and where that lies is remembered */
	mmu_load_root(m->mmu, m->cpu, &m->tables, ASID + 1);
	put(m, 0, FRAME_A | E_PAGE);
	mmu_flush_asid(m->cpu, ASID + 1);
	mmu_load_root(m->mmu, m->cpu, &m->tables, ASID + 1);
	assert_true(m->cpu[0].counters.leaves_moved > moved);
	put(m, 0, (FRAME_A + 0x9000) | E_PAGE);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	assert_int_equal(leads(m, ADDRESS), FRAME_A + 0x9000);
}

/* L2 may still have the page cached by which it wrote what becomes a table. */
static void what_moves_away_may_be_written(void **state)
{
	struct machine *m = *state;
	uint64_t frame = rig_new_table(m->rig), other = ADDRESS + 4 * MIB;
	unsigned int flushes;

	heat(m, 1);
	put(m, 0, frame | E_PAGE);
	flush_and_run(m);
	assert_true(rig_walk(m->rig, m->root, ADDRESS).write);
	put(m, 0, FRAME_B | E_PAGE);
	flush_and_run(m);
	flushes = m->rig->flushes;
	put_at(m, other, 2, frame | E_TABLE);
	put_at(m, other, 1, FRAME_B | E_PAGE);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	assert_int_equal(m->rig->flushes, flushes + 1);
}

/* What a fault has filled is what the copy has to differ from. */
static void what_is_filled_is_copied(void **state)
{
	struct machine *m = *state;

	heat(m, 1);
	for (int beside = 0; beside < 2; beside++) { /* by the whole way, and by the short one */
		put(m, 100, 0);
		flush_and_run(m);
		put(m, 100, FRAME_B | E_PAGE);
		touch(m, beside ? 0 : 100);
		m->cpu[0].way.page = beside ? m->cpu[0].way.page : NULL;
		touch(m, 100);
		assert_int_equal(leads(m, BESIDE(100)), FRAME_B);
		put(m, 100, 0);
		flush_and_run(m);
		assert_int_equal(leads(m, BESIDE(100)), 0);
	}
}

static void what_is_linked_is_copied(void **state)
{
	struct machine *m = *state;
	uint64_t other = ADDRESS + 2 * MIB, table;

	heat(m, 2);
	put_at(m, other, 1, FRAME_B | E_PAGE);
	table = rig_get(m->rig, &m->tables, other, 2);
	put_at(m, other, 2, 0);
	flush_and_run(m);
	put_at(m, other, 2, table);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	assert_int_equal(leads(m, other), FRAME_B);
	put_at(m, other, 2, 0);
	flush_and_run(m);
	assert_int_equal(leads(m, other), 0);
	/* Rights that a table gains by a fault. */
	put_at(m, other, 2, table & ~PTE_W);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	put_at(m, other, 2, table);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, ACCESS_WRITE), RIG_OK);
	put_at(m, other, 2, table & ~PTE_W);
	flush_and_run(m);
	assert_false(rig_walk(m->rig, m->root, other).write);
}

/* A device's write is not seen, but L2 has by it what the table says then, and not for longer. */
static void what_a_device_wrote_is_copied(void **state)
{
	struct machine *m = *state;
	uint64_t other = ADDRESS + 2 * MIB, table;

	heat(m, 2);
	put_at(m, other, 1, FRAME_B | E_PAGE);
	table = rig_get(m->rig, &m->tables, other, 2);
	put_at(m, other, 2, table & ~PTE_W);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, 0), RIG_OK);
	for (int i = 0; i < OFTEN; i++) {
		mmu_direct_flushed(&m->cpu[0]);
		mmu_direct_flushed(&m->cpu[1]);
		flush_and_run(m);
	}
	rig_put(m->rig, &m->tables, other, 2, table);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, other, ACCESS_WRITE), RIG_OK);
	put_at(m, other, 2, table & ~PTE_W);
	flush_and_run(m);
	assert_false(rig_walk(m->rig, m->root, other).write);
}

/* What another ASID filled is read again for this one, an entry alone. */
static void what_is_caught_up_is_copied(void **state)
{
	struct machine *m = *state;

	heat(m, 1);
	mmu_load_root(m->mmu, m->cpu, &m->tables, ASID + 1);
	put(m, 50, FRAME_B | E_PAGE);
	touch(m, 50);
	put(m, 50, FRAME_A | E_PAGE);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	assert_int_equal(leads(m, BESIDE(50)), FRAME_A);
	put(m, 50, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(leads(m, BESIDE(50)), FRAME_B);
}

/* Another processor writes when the entry has been read, and its frame is looked for. */
static void write_amid(struct rig *rig, uint64_t gpa)
{
	if (gpa != FRAME_B)
		return;
	rig->on_map = NULL;
	rig_put(rig, rig->context, ADDRESS, 1, 4 * GIB + 0x9000 + E_PAGE);
}

/* The copy never says anything else than what the spte was made of. */
static void what_changes_amid_the_comparison(void **state)
{
	struct machine *m = *state;

	heat(m, 1);
	put(m, 0, FRAME_B | E_PAGE);
	m->rig->context = &m->tables;
	m->rig->on_map = write_amid;
	m->mmu->maps++; /* so that the map is asked */
	flush_and_run(m);
	assert_null(m->rig->on_map);
	assert_int_not_equal(leads(m, ADDRESS), FRAME_B);
	touch(m, 0);
	assert_int_equal(leads(m, ADDRESS), 4 * GIB + 0x9000);
	put(m, 0, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(leads(m, ADDRESS), FRAME_B);
}

/* Another processor writes if the table is looked at for the second time. */
static unsigned int looks;

static void write_at_second_look(struct rig *rig, uint64_t gpa)
{
	if (gpa == (rig_entry(rig, rig->context, ADDRESS, 1) & ~0xfffull) && ++looks == 2)
		rig_put(rig, rig->context, ADDRESS, 1, 4 * GIB + 0x9000 + E_PAGE);
}

static void what_is_compared_is_read_once(void **state)
{
	struct machine *m = *state;

	heat(m, 1);
	put(m, 0, FRAME_B | E_PAGE);
	m->mmu->maps++;
	looks = 0;
	m->rig->context = &m->tables;
	m->rig->on_page = write_at_second_look;
	flush_and_run(m);
	m->rig->on_page = NULL;
	put(m, 0, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(leads(m, ADDRESS), FRAME_B);
}

/* A page that ends gives its copy back; what comes to its place has none. */
static void a_copy_ends_with_its_table(void **state)
{
	struct machine *m = *state;
	struct shadow_page *page, *copy;

	heat(m, 1);
	page = shadow_of(m, ADDRESS, 1);
	copy = page->copy;
	page_zap(m->mmu, page);
	assert_false(copy->live);
	assert_null(page->copy);
	assert_ok_invariants(m->rig);
	pool_reserve(m->mmu, m->mmu->free_count + 1);
	put(m, 0, FRAME_B | E_PAGE);
	touch(m, 0);
	assert_int_equal(leads(m, ADDRESS), FRAME_B);
	flush_and_run(m);
	assert_int_equal(leads(m, ADDRESS), FRAME_B);
}

/* A copy that is reclaimed leaves its table as it is, and that one may have another. */
static void a_table_outlives_its_copy(void **state)
{
	struct machine *m = *state;
	struct shadow_page *page;

	heat(m, 1);
	page = shadow_of(m, ADDRESS, 1);
	page_zap(m->mmu, page->copy);
	assert_null(page->copy);
	assert_true(page->live);
	assert_ok_invariants(m->rig);
	for (int i = 0; i < OFTEN; i++) {
		put(m, 0, (i % 2 ? FRAME_A : FRAME_B) | E_PAGE);
		flush_and_run(m);
		assert_int_equal(leads(m, ADDRESS), i % 2 ? FRAME_A : FRAME_B);
	}
	assert_non_null(page->copy);
}

/* More hot tables than there may be copies: they go from one to the next. */
static void copies_are_few(void **state)
{
	struct machine *m = *state;
	enum { TABLES = 16, FEW = 8 };
	uint32_t used;

	begin(m);
	for (uint64_t t = 0; t < TABLES; t++)
		put_at(m, ADDRESS + t * 2 * MIB, 1, FRAME_A | E_PAGE);
	for (int i = 0; i < 8 * OFTEN; i++) {
		for (uint64_t t = 0; t < TABLES; t++)
			put_at(m, ADDRESS + t * 2 * MIB, 1, (i % 2 ? FRAME_A : FRAME_B) | E_PAGE);
		flush_and_run(m);
		for (uint64_t t = 0; t < TABLES; t++) {
			uint64_t address = ADDRESS + t * 2 * MIB;

			assert_int_equal(rig_access(m->rig, 0, &m->tables, address, 0), RIG_OK);
			assert_int_equal(leads(m, address), i % 2 ? FRAME_A : FRAME_B);
		}
		used = m->mmu->page_count - m->mmu->free_count;
		assert_true(m->mmu->copies <= FEW || m->mmu->copies <= used / 12 + 1);
	}
	assert_true(m->mmu->copies > 0);
}

/* Entries of 4 bytes are not where their sptes are: such tables are read in full. */
static void two_levels_have_no_copies(void **state)
{
	struct machine *m = *state;

	begin(m);
	m->tables = rig_guest(PT_2LEVEL, 0, 48, rig_new_table(m->rig));
	for (int i = 0; i < OFTEN; i++) {
		put(m, 0, (i % 2 ? 0x700000 : 0x701000) | E_PAGE);
		flush_and_run(m);
		touch(m, 0);
		assert_int_equal(leads(m, ADDRESS), i % 2 ? 0x700000 : 0x701000);
		assert_null(shadow_of(m, ADDRESS, 1)->copy);
	}
	assert_int_equal(m->mmu->copies, 0);
}

/* What a fault has set aside is not for copies. */
static void copies_take_nothing_set_aside(void **state)
{
	struct machine *m = *state;
	struct shadow_page *page;
	uint32_t aside = pages_for(m->mmu, PT_MAX_LEVEL);
	bool found;

	begin(m);
	page = shadow_of(m, ADDRESS, 1);
	for (uint64_t gpa = 0x900000; m->mmu->free_count > aside; gpa += 0x1000)
		page_get(m->mmu, gpa, (union shadow_role){.level = 1, .direct = 1}, &found);
	give_copy(m->mmu, page);
	assert_null(page->copy);
	assert_int_equal(m->mmu->free_count, aside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_differs_is_derived_again), TEST(what_moves_is_set_in_place),
		TEST(what_moves_from_or_to_elsewhere),    TEST(what_moves_is_noted),
		TEST(what_moves_away_may_be_written),     TEST(what_is_filled_is_copied),
		TEST(what_is_linked_is_copied),           TEST(what_a_device_wrote_is_copied),
		TEST(what_is_caught_up_is_copied),        TEST(what_changes_amid_the_comparison),
		TEST(what_is_compared_is_read_once),      TEST(a_copy_ends_with_its_table),
		TEST(a_table_outlives_its_copy),          TEST(copies_are_few),
		TEST(two_levels_have_no_copies),          TEST(copies_take_nothing_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
