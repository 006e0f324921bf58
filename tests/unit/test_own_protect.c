/*
 * Write protection of tables without nested paging: what the first write to a table or to a watched
 * frame does, and when what was written shows.
 */
#include "tests/unit/own_table.h"

static void a_flush_shows_what_was_written(void **state)
{
	struct own_bench *b = *state;
	uint64_t read;

	own_mov_cr3(b);
	write_to(b, ADDRESS);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_A); /* as in a TLB */
	own_put(b, ADDRESS, 1, FRAME_B | E_READ_ONLY);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_A);
	read = b->mmu->counters->tables_read;
	own_mov_cr3(b);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
	assert_false(writable(b, ADDRESS));
	/* One table of one root; PDPTEs are looked at each time. */
	assert_true(b->mmu->counters->tables_read - read <=
	            (b->tables.mode.id == PT_PAE ? 2u : 1u));
	for (int level = b->tables.mode.format->levels == 3 ? 2 : 4; level > 0; level--) {
		uint64_t entry = rig_get(b->rig, &b->tables, ADDRESS, level);

		assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
		own_put(b, ADDRESS, level, 0);
		assert_int_equal(own_look(b, ADDRESS).status, OWN_OK);
		if (level < 4) { /* the window hangs there, too */
			own_mov_cr3(b);
			assert_int_equal(own_look(b, ADDRESS).status, OWN_MISSING);
			assert_int_equal(own_touch(b, ADDRESS, 0), REFLECTED(0));
		}
		own_put(b, ADDRESS, level, entry);
		assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK); /* more: at once */
	}
}

/* Each right that goes from a page or a table, alone. */
static void each_right_counts(void **state)
{
	static const uint64_t changes[] = {PTE_W, PTE_U, PTE_NX};
	struct own_bench *b = *state;

	own_mov_cr3(b);
	for (int level = 1; level <= 2; level++) {
		for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
			uint64_t entry = rig_get(b->rig, &b->tables, ADDRESS, level);
			struct own_seen seen;

			assert_int_equal(own_touch(b, ADDRESS, ACCESS_WRITE | ACCESS_USER), RIG_OK);
			assert_int_equal(own_touch(b, ADDRESS, ACCESS_FETCH), RIG_OK);
			own_put(b, ADDRESS, level, entry ^ changes[i]);
			own_mov_cr3(b);
			seen = own_look(b, ADDRESS);
			assert_true(seen.status == OWN_MISSING ||
			            !(changes[i] == PTE_W   ? seen.write
			              : changes[i] == PTE_U ? seen.user
			                                    : seen.execute));
			own_put(b, ADDRESS, level, entry);
			own_mov_cr3(b);
		}
	}
}

/* A table that was written, and is reached by a new way: that way shows what it says now. */
static void what_becomes_reachable_is_new(void **state)
{
	struct own_bench *b = *state;
	uint64_t again = ADDRESS + 4 * MIB;

	rig_put(b->rig, &b->tables, ADDRESS + 0x1000, 1, FRAME_A | E_PAGE);
	own_mov_cr3(b);
	write_to(b, ADDRESS);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	own_put(b, again, 2, table_of(b, ADDRESS) | E_TABLE);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_A);
	assert_int_equal(own_touch(b, again + 0x1000, 0), RIG_OK);
	assert_int_equal(own_look(b, again).hpa, FRAME_B);
}

/* One fault is enough to write a table through another that it makes reachable. */
static void a_fault_that_compares_lets_write(void **state)
{
	struct own_bench *b = *state;
	uint64_t other = ADDRESS + 2 * MIB, again = ADDRESS + 4 * MIB;
	struct page_fault fault = {.address = again + 0x2000, .access = ACCESS_WRITE};

	rig_put(b->rig, &b->tables, other, 1, FRAME_B | E_PAGE);
	rig_put(b->rig, &b->tables, ADDRESS + 0x2000, 1, table_of(b, other) | E_PAGE);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_touch(b, other, 0), RIG_OK);
	own_put(b, again, 2, table_of(b, ADDRESS) | E_TABLE);
	assert_int_equal(mmu_fault(b->mmu, b->cpu, &b->tables, &fault), FAULT_FILLED);
	assert_true(writable(b, fault.address));
}

/* What nobody wrote is not read, and nothing is flushed. */
static void a_flush_costs_what_was_written(void **state)
{
	struct own_bench *b = *state;
	uint64_t read;

	own_mov_cr3(b);
	write_to(b, ADDRESS);
	own_mov_cr3(b);
	b->rig->flushes = 0;
	read = b->mmu->counters->tables_read;
	for (int i = 0; i < 8; i++)
		own_mov_cr3(b);
	assert_int_equal(b->rig->flushes, 0);
	assert_true(b->mmu->counters->tables_read - read <=
	            (b->tables.mode.id == PT_PAE ? 8u : 0u));
	mmu_load_root(b->mmu, b->cpu, &b->tables, L2_ASID); /* a world switch and back */
	mmu_load_root(b->mmu, b->cpu, &b->tables, L1_ASID);
	assert_int_equal(b->rig->flushes, 0);
	/* Many writes to one table: one fault. */
	own_put(b, DATA, 1, FRAME_A | E_PAGE);
	read = b->mmu->counters->fills;
	for (uint64_t i = 1; i < 64; i++)
		own_put(b, DATA + i * 0x1000, 1, FRAME_A | E_PAGE);
	assert_int_equal(b->mmu->counters->fills, read);
}

/* More rights show at the next fault, without a flush. */
static void more_rights_show_at_a_fault(void **state)
{
	struct own_bench *b = *state;

	own_put(b, ADDRESS, 1, FRAME_A | E_READ_ONLY | PTE_NX);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_WRITE), REFLECTED(3));
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_FETCH), REFLECTED(0x11));
	own_put(b, ADDRESS, 1, FRAME_A | E_PAGE | PTE_NX);
	write_to(b, ADDRESS);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_FETCH), REFLECTED(0x11));
	own_put(b, ADDRESS, 1, FRAME_A | E_PAGE);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_FETCH | ACCESS_USER), RIG_OK);
}

/* A table that becomes data: its shadow ends with the flush, and writes are free again. */
static void a_table_that_becomes_data(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS), zaps, fills;

	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_true(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	own_put(b, ADDRESS, 2, 0);
	zaps = b->mmu->counters->zaps;
	own_mov_cr3(b);
	write_to(b, window(table));
	own_mov_cr3(b); /* it was written, and nothing leads to it */
	assert_int_equal(b->mmu->counters->zaps, zaps + 1);
	assert_false(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	write_to(b, window(table));
	fills = b->mmu->counters->fills;
	for (int i = 0; i < 4; i++) {
		own_mov_cr3(b);
		assert_true(writable(b, window(table)));
	}
	assert_int_equal(b->mmu->counters->fills, fills);
}

/* The root in use stays, whatever is written to it; so does a root of another ASID's, or comes. */
static void written_roots_stay(void **state)
{
	struct own_bench *b = *state;
	uint64_t live;

	own_mov_cr3(b);
	write_to(b, ADDRESS);
	write_to(b, window(b->tables.root));
	live = b->root;
	own_mov_cr3(b);
	assert_int_equal(b->root, live);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_A);
}

static void reclaimed_tables_are_free(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);
	struct guest_tables off = own_direct();
	uint64_t direct;

	own_mov_cr3(b);
	write_to(b, ADDRESS);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	direct = mmu_load_root(b->mmu, b->cpu, &off, L1_ASID);
	pool_reserve(b->mmu, b->mmu->page_count - 1);
	assert_int_equal(b->mmu->frames_tracked, 0);
	assert_int_equal(own_touch_by(b, &off, direct, table, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), table).level, 2);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
}

static unsigned int told;

static void tell(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	assert_int_equal(gpa, ram_page_gpa(RAM_LOW_PAGES - 1));
	told++;
}

static unsigned int opened;

static void opens(struct rig *rig, uint64_t gpa)
{
	const struct own_bench *b = rig->context;

	assert_int_equal(gpa, ram_page_gpa(RAM_LOW_PAGES - 1));
	assert_false(writable(b, window(gpa)));
	opened++;
}

static void watched_frames(void **state)
{
	struct own_bench *b = *state;
	uint64_t gpa = ram_page_gpa(RAM_LOW_PAGES - 1);

	told = 0;
	opened = 0;
	b->rig->on_changed = tell;
	b->rig->on_opens = opens;
	b->rig->context = b;
	own_mov_cr3(b);
	write_to(b, window(gpa));
	mmu_watch(b->mmu, &b->rig->cpu[0], 0x7ffff000); /* no memory: never changes */
	mmu_watch(b->mmu, &b->rig->cpu[0], gpa);
	assert_false(writable(b, window(gpa)));
	assert_false(mmu_watch_written(b->mmu, b->cpu, gpa));
	assert_false(mmu_watch_written(b->mmu, b->cpu, 0x7ffff000));
	write_to(b, window(gpa));
	assert_int_equal(opened, 1); /* before it was let through */
	assert_true(mmu_watch_written(b->mmu, b->cpu, gpa));
	assert_int_equal(told, 1);
	assert_false(writable(b, window(gpa)));
	assert_false(mmu_watch_written(b->mmu, b->cpu, gpa));
	write_to(b, window(gpa));
	own_mov_cr3(b); /* finds it, too */
	assert_int_equal(told, 2);
	assert_false(mmu_watch_written(b->mmu, b->cpu, gpa));
	mmu_note_write(b->mmu, gpa + 8); /* L0 */
	mmu_note_walk(b->mmu, gpa);      /* a walk sets A there */
	assert_true(mmu_watch_written(b->mmu, b->cpu, gpa));
	mmu_unwatch(b->mmu, gpa);
	mmu_unwatch(b->mmu, gpa);
	write_to(b, window(gpa));
	own_mov_cr3(b);
	assert_true(writable(b, window(gpa)));
	assert_false(mmu_watch_written(b->mmu, b->cpu, gpa));
	assert_int_equal(told, 3);
}

/* A watched table stays what it is when it is watched no more, and the other way round. */
static void watched_tables(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);

	b->rig->on_changed = NULL;
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	mmu_watch(b->mmu, &b->rig->cpu[0], table);
	mmu_unwatch(b->mmu, table);
	assert_true(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	mmu_watch(b->mmu, &b->rig->cpu[0], table);
	mmu_load_root(b->mmu, b->cpu, &(struct guest_tables){.direct = true}, L1_ASID);
	pool_reserve(b->mmu, b->mmu->page_count - 1);
	assert_true(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	mmu_unwatch(b->mmu, table);
	assert_false(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	own_mov_cr3(b);
}

/* What a watch finds to be written was read again as a table, too. */
static void a_watch_reads_the_table(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);

	own_mov_cr3(b);
	write_to(b, ADDRESS);
	mmu_watch(b->mmu, &b->rig->cpu[0], table);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_true(mmu_watch_written(b->mmu, b->cpu, table));
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
	own_put(b, ADDRESS, 1, FRAME_A | E_PAGE);
	own_mov_cr3(b);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_A);
}

/* A page that is a table of both entry sizes: A and D of the one are address bits of the other. */
static void tables_of_both_sizes(void **state)
{
	struct own_bench *b = *state;
	struct guest_tables small = own_guest(PT_2LEVEL, MODE_WP, 48, rig_new_table(b->rig));
	uint64_t table = table_of(b, ADDRESS), entry = 0x1ull << 32 | FRAME_A | E_PAGE, root;

	own_put(b, ADDRESS, 1, entry); /* its upper half is a present entry of 4 bytes: page 0 */
	rig_put(b->rig, &small, 0, 2, table | E_TABLE);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_look(b, ADDRESS).hpa, entry & ~0xfffull);
	root = mmu_load_root(b->mmu, b->cpu, &small, L2_ASID);
	assert_int_equal(own_touch_by(b, &small, root, 2 * (ADDRESS & 0x1ff000) + 0x1000, 0),
	                 RIG_OK);
	assert_int_equal(rig_get(b->rig, &b->tables, ADDRESS, 1), entry | PTE_A << 32);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_look(b, ADDRESS).hpa, (entry | PTE_A << 32) & ~0xfffull);
}

/* More frames dirty than there is room for: they are read, and none is forgotten. */
static void more_dirty_frames_than_room(void **state)
{
	struct rig *rig = own_rig_new(4, true, 12);
	unsigned int before = 0;

	(void)state;
	for (unsigned int i = 0; i < RAM_PAGES; i++)
		mmu_watch(&rig->mmu, &rig->cpu[0], ram_page_gpa(i));
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < RAM_PAGES; i++) {
			mmu_note_write(&rig->mmu, ram_page_gpa(i));
			assert_true(rig->mmu.dirty_count <= rig->mmu.page_count);
			if (i % 5 == 0)
				mmu_watch_written(&rig->mmu, &rig->cpu[0], ram_page_gpa(i));
		}
	}
	before = (unsigned int)rig->mmu.counters->frames_dirty;
	assert_true(before >= 3 * RAM_PAGES - rig->mmu.page_count);
	assert_null(own_broken_list(rig));
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flush_shows_what_was_written),
		TEST_PAE(a_flush_shows_what_was_written),
		TEST(each_right_counts),
		TEST_PAE(each_right_counts),
		TEST(what_becomes_reachable_is_new),
		TEST(a_fault_that_compares_lets_write),
		TEST(a_flush_costs_what_was_written),
		TEST_PAE(a_flush_costs_what_was_written),
		TEST(more_rights_show_at_a_fault),
		TEST_PAE(more_rights_show_at_a_fault),
		TEST(a_table_that_becomes_data),
		TEST_PAE(a_table_that_becomes_data),
		TEST(written_roots_stay),
		TEST(reclaimed_tables_are_free),
		TEST(watched_frames),
		TEST(watched_tables),
		TEST(tables_of_both_sizes),
		TEST(a_watch_reads_the_table),
		cmocka_unit_test(more_dirty_frames_than_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
