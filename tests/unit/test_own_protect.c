/*
 * Write protection of tables without nested paging: who may write a frame that has a shadow, what
 * the first write does, and when what was written shows.
 */
#include "tests/unit/own_test.h"

#define ADDRESS 0x40201000ull
#define DATA    0x40208000ull
#define FRAME_A 0x80000000ull
#define FRAME_B (FRAME_A + 0x5000)
#define FAR     0x8000000000ull

static int start_format(void **state, enum pt_format_id id)
{
	static struct own_bench b;

	own_begin(&b, id, MODE_WP | MODE_NX | MODE_1G);
	rig_put(b.rig, &b.tables, ADDRESS, 1, FRAME_A | E_PAGE);
	*state = &b;
	return 0;
}

static int start(void **state)
{
	return start_format(state, PT_4LEVEL);
}

static int start_pae(void **state)
{
	return start_format(state, PT_PAE);
}

static int end(void **state)
{
	own_end(*state);
	return 0;
}

static uint64_t table_of(struct own_bench *b, uint64_t address)
{
	return rig_entry(b->rig, &b->tables, address, 1) & ~0xfffull;
}

static uint64_t window(uint64_t gpa)
{
	return WINDOW + gpa - RAM_LOW_GPA;
}

static bool writable(const struct own_bench *b, uint64_t address)
{
	struct own_seen seen = own_look(b, address);

	return seen.status == OWN_OK && seen.write;
}

static void write_to(struct own_bench *b, uint64_t address)
{
	assert_int_equal(own_touch(b, address, ACCESS_WRITE), RIG_OK);
	assert_true(writable(b, address));
}

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
	read = b->mmu->counters.tables_read;
	own_mov_cr3(b);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
	assert_false(writable(b, ADDRESS));
	/* One table of one root; PDPTEs are looked at each time. */
	assert_true(b->mmu->counters.tables_read - read <= (b->tables.mode.id == PT_PAE ? 2u : 1u));
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
	read = b->mmu->counters.tables_read;
	for (int i = 0; i < 8; i++)
		own_mov_cr3(b);
	assert_int_equal(b->rig->flushes, 0);
	assert_true(b->mmu->counters.tables_read - read <= (b->tables.mode.id == PT_PAE ? 8u : 0u));
	mmu_load_root(b->mmu, b->cpu, &b->tables, L2_ASID); /* a world switch and back */
	mmu_load_root(b->mmu, b->cpu, &b->tables, L1_ASID);
	assert_int_equal(b->rig->flushes, 0);
	/* Many writes to one table: one fault. */
	own_put(b, DATA, 1, FRAME_A | E_PAGE);
	read = b->mmu->counters.fills;
	for (uint64_t i = 1; i < 64; i++)
		own_put(b, DATA + i * 0x1000, 1, FRAME_A | E_PAGE);
	assert_int_equal(b->mmu->counters.fills, read);
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
	zaps = b->mmu->counters.zaps;
	own_mov_cr3(b);
	write_to(b, window(table));
	own_mov_cr3(b); /* it was written, and nothing leads to it */
	assert_int_equal(b->mmu->counters.zaps, zaps + 1);
	assert_false(b->mmu->frames[table >> 12] & FRAME_TRACKED);
	write_to(b, window(table));
	fills = b->mmu->counters.fills;
	for (int i = 0; i < 4; i++) {
		own_mov_cr3(b);
		assert_true(writable(b, window(table)));
	}
	assert_int_equal(b->mmu->counters.fills, fills);
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
	assert_int_equal(b->mmu->counters.frames_tracked, 0);
	assert_int_equal(own_touch_by(b, &off, direct, table, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_walk(b->rig, own_start(direct, 3), table).level, 2);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
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

static unsigned int told;

static void tell(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	assert_int_equal(gpa, ram_page_gpa(RAM_LOW_PAGES - 1));
	told++;
}

static void watched_frames(void **state)
{
	struct own_bench *b = *state;
	uint64_t gpa = ram_page_gpa(RAM_LOW_PAGES - 1);

	told = 0;
	b->rig->on_changed = tell;
	own_mov_cr3(b);
	write_to(b, window(gpa));
	mmu_watch(b->mmu, &b->rig->cpu[0], 0x7ffff000); /* no memory: never changes */
	mmu_watch(b->mmu, &b->rig->cpu[0], gpa);
	assert_false(writable(b, window(gpa)));
	assert_false(mmu_watch_written(b->mmu, b->cpu, gpa));
	assert_false(mmu_watch_written(b->mmu, b->cpu, 0x7ffff000));
	write_to(b, window(gpa));
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
	before = (unsigned int)rig->mmu.counters.frames_dirty;
	assert_true(before >= 3 * RAM_PAGES - rig->mmu.page_count);
	assert_null(own_broken_list(rig));
	rig_free(rig);
}

/* Memory types moved: no large page stays; protection does. */
static void dropping_large_pages(void **state)
{
	struct own_bench *b = *state;
	uint64_t table = table_of(b, ADDRESS);

	rig_put(b->rig, &b->tables, FAR, 2, 4 * MIB | E_LARGE);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, window(table), 0), RIG_OK);
	write_to(b, FAR);
	b->rig->flushes = 0;
	mmu_drop_large(b->mmu);
	assert_true(b->rig->flushes > 0);
	assert_int_equal(own_look(b, FAR).status, OWN_MISSING);
	assert_int_equal(own_look(b, window(table)).status, OWN_OK);
	b->rig->hole_level = 1;
	write_to(b, FAR);
	assert_int_equal(own_look(b, FAR).level, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define TEST_PAE(name)                                                                             \
	{                                                                                          \
#name ", PAE", name, start_pae, end, NULL                                          \
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
		TEST(stale_writers_are_flushed),
		TEST(the_reverse_map_is_exact),
		TEST(many_leaves_of_one_frame),
		TEST(watched_frames),
		TEST(watched_tables),
		TEST(tables_of_both_sizes),
		TEST(a_watch_reads_the_table),
		cmocka_unit_test(more_dirty_frames_than_room),
		TEST(dropping_large_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
