/*
 * Tracked frames with several processors: what L1 writes on one shows after a flush on another,
 * whatever that one has cached of NPT01, and even amid a fault.
 */
#include "tests/unit/cpus_test.h"

static void what_another_processor_writes_is_read(void **state)
{
	struct machine *m = *state;

	begin(m);
	*reach(m, 1, m->table) |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(leads_to(m), FRAME_A);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
	assert_false(*reach(m, 1, m->table) & PTE_D);
	assert_true(m->cpu[1].flush_direct);
	assert_false(m->cpu[0].flush_direct);
}

/* By what it has cached a processor writes with D=0: until it has flushed it counts as dirty. */
static void an_unarmed_processor_counts_as_dirty(void **state)
{
	struct machine *m = *state;

	begin(m);
	*reach(m, 1, m->table) |= PTE_D;
	assert_int_equal(flush_and_run(m), 1);
	for (int i = 0; i < 3; i++) {
		edit(m, i % 2 ? FRAME_A : FRAME_B);
		assert_int_equal(flush_and_run(m), 1);
		assert_int_equal(leads_to(m), i % 2 ? FRAME_A : FRAME_B);
	}
	/* What it wrote last shows, too, though it has flushed since. */
	edit(m, FRAME_A);
	mmu_direct_flushed(&m->cpu[1]);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_A);
	assert_int_equal(flush_and_run(m), 0);
	*reach(m, 1, m->table) |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
}

/* The processor that flushes runs nothing before its own flush: it is never unarmed for itself. */
static void ones_own_writes_are_read_once(void **state)
{
	struct machine *m = *state;

	begin(m);
	*reach(m, 0, m->table) |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_true(m->cpu[0].flush_direct);
	assert_int_equal(flush_and_run(m), 0);
	/* Nor when another one cleared its D: what it wrote it has written before it came here. */
	mmu_direct_flushed(&m->cpu[0]);
	*reach(m, 0, m->table) |= PTE_D;
	mmu_flush_asid(&m->cpu[1], ASID);
	mmu_load_root(m->mmu, &m->cpu[1], &m->tables, ASID);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(flush_and_run(m), 0);
}

static void who_stays_unarmed_is_kicked_once(void **state)
{
	struct machine *m = *state;
	static struct mmu_ops without; /* it is still asked when the test has ended */
	uint64_t read;

	without = *m->mmu->ops;
	for (unsigned int round = 1; round <= 2; round++) {
		begin(m);
		*reach(m, 1, m->table) |= PTE_D;
		flush_and_run(m);
		assert_int_equal(m->rig->kicks, round - 1); /* an edit costs none */
		for (read = 0; m->rig->kicks < round && read < 20; read++)
			flush_and_run(m);
		assert_in_range(read, 2, 8);
		for (int i = 0; i < 20; i++)
			assert_int_equal(flush_and_run(m), 1);
		assert_int_equal(m->rig->kicks, round);
	}
	assert_int_equal(m->mmu->counters->kicks, 2);
	begin(m);
	without.kick = NULL;
	m->mmu->ops = &without;
	*reach(m, 1, m->table) |= PTE_D;
	for (int i = 0; i < 20; i++)
		assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(m->mmu->counters->kicks, 2);
	/* One that flushes now and then is let alone. */
	begin(m);
	for (int i = 0; i < 20; i++) {
		*reach(m, 1, m->table) |= PTE_D;
		flush_and_run(m);
		flush_and_run(m);
		mmu_direct_flushed(&m->cpu[1]);
	}
	assert_int_equal(m->mmu->counters->kicks, 2);
}

static unsigned int told;

static void tell(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	(void)gpa;
	told++;
}

static void a_watched_frame_that_another_one_writes(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = ram_page_gpa(10);

	told = 0;
	m->rig->on_changed = tell;
	begin(m);
	mmu_watch(m->mmu, m->cpu, gpa);
	reach(m, 1, gpa);
	while (mmu_watch_written(m->mmu, m->cpu, gpa))
		mmu_direct_flushed(&m->cpu[1]);
	told = 0;
	*reach(m, 1, gpa) |= PTE_D;
	assert_false(mmu_watch_written(m->mmu, &m->cpu[1], gpa + 0x1000));
	reach(m, 1, 5 * GIB); /* processor 1 was at work last */
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 2); /* before D is cleared, too */
	assert_false(*reach(m, 1, gpa) & PTE_D);
	assert_true(m->cpu[1].flush_direct);
	for (int i = 0; i < 10; i++)
		assert_true(mmu_watch_written(m->mmu, m->cpu, gpa)); /* unarmed */
	assert_int_equal(m->rig->kicks, 1);
	mmu_direct_flushed(&m->cpu[1]);
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 2 + 11);
}

/*
 * Who begins to watch is at work: the one that was before may have the frame in a large page, or
 * D=1 cached, and is asked to flush, or counts as dirty.
 */
static void who_watches_is_not_the_one_before(void **state)
{
	struct machine *m = *state;
	uint64_t small = ram_page_gpa(10), large = ram_page_gpa(RAM_LOW_PAGES);
	unsigned int flushes;

	begin(m);
	reach(m, 1, large); /* processor 0 has nothing there */
	assert_true(rig_walk(m->rig, m->npt01[1], large).level > 1);
	flushes = m->rig->flushes;
	mmu_watch(m->mmu, m->cpu, large);
	assert_int_equal(m->rig->flushes, flushes + 1);

	reach(m, 0, small);
	*reach(m, 1, small) |= PTE_D;
	mmu_direct_flushed(&m->cpu[1]);
	mmu_direct_fault(m->mmu, &m->cpu[1], small);
	mmu_watch(m->mmu, m->cpu, small);
	assert_false(*reach(m, 1, small) & PTE_D);
	assert_true(m->cpu[1].flush_direct);
	for (int i = 0; i < 2; i++)
		assert_true(mmu_watch_written(m->mmu, m->cpu, small));
	mmu_direct_flushed(&m->cpu[1]);
	assert_true(mmu_watch_written(m->mmu, m->cpu, small));
	assert_false(mmu_watch_written(m->mmu, m->cpu, small));
}

/* A processor's table of NPT01 ends and comes again: it is the new one that tells of writes. */
static void a_table_that_comes_again_tells(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = ram_page_gpa(10);
	struct shadow_page *region;
	uint64_t *leaf;

	begin(m);
	mmu_watch(m->mmu, m->cpu, gpa);
	leaf = reach(m, 1, gpa);
	while (mmu_watch_written(m->mmu, m->cpu, gpa))
		mmu_direct_flushed(&m->cpu[1]);
	region = page_of_table(m->mmu, leaf);
	assert_int_equal(region->role.level, 1);
	page_zap(m->mmu, region);
	leaf = reach(m, 1, gpa);
	assert_ptr_not_equal(page_of_table(m->mmu, leaf), region);
	while (mmu_watch_written(m->mmu, m->cpu, gpa))
		mmu_direct_flushed(&m->cpu[1]);
	*leaf |= PTE_D;
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
}

static struct {
	struct machine *machine;
	uint64_t at, gpa;
	unsigned int looks; /* before the one that counts */
	unsigned int size;
	uint64_t value;
} amid;

/* Processor 1 writes by what it has cached, and flushes, when mmu/ looks at a table. */
static void write_amid(struct rig *rig, uint64_t gpa)
{
	if (gpa != amid.at || amid.looks-- > 0)
		return;
	rig->on_page = NULL;
	ram_write(&rig->ram, amid.gpa, amid.size, amid.value);
	mmu_direct_flushed(&amid.machine->cpu[1]);
}

/* The entry of level 2 for the address becomes another while the walk reads the table below it. */
static void access_while_it_changes(struct machine *m, uint64_t address, uint64_t entry,
                                    uint64_t another)
{
	uint64_t gpa = rig_entry(m->rig, &m->tables, address, 2);

	/* Processor 1 is unarmed for the table of the entry. */
	reach(m, 1, gpa & ~0xfffull);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		mmu_direct_flushed(&m->cpu[1]);
	*reach(m, 1, gpa & ~0xfffull) |= PTE_D;
	flush_and_run(m);
	assert_true(m->cpu[1].flush_direct);
	amid.machine = m;
	amid.at = rig_entry(m->rig, &m->tables, address, 1) & ~0xfffull;
	amid.gpa = gpa;
	amid.looks = 0;
	amid.size = 8;
	amid.value = another;
	rig_put(m->rig, &m->tables, address, 2, entry); /* processor 0: D=1 is cached */
	*reach(m, 0, gpa) |= PTE_D;
	m->rig->on_page = write_amid;
	rig_access(m->rig, 0, &m->tables, address, ACCESS_WRITE);
	assert_null(m->rig->on_page);
	flush_and_run(m);
}

/* An entry of level 2 to a table that leads to FRAME_B. */
static uint64_t to_another(struct machine *m)
{
	uint64_t address = ADDRESS + 10 * MIB;

	rig_put(m->rig, &m->tables, address, 1, FRAME_B | E_PAGE);
	return rig_get(m->rig, &m->tables, address, 2);
}

static void expect_b(struct machine *m, uint64_t address)
{
	assert_int_equal(rig_access(m->rig, 0, &m->tables, address, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, address).hpa, FRAME_B);
}

/*
 * The walk of a fault has read an entry when another processor writes it; then the fault leads to
 * a table that had a shadow, and compares. The note of that write is gone then, and the entry must
 * not become an spte any more.
 */
static void entries_are_read_again_after_comparing(void **state)
{
	struct machine *m = *state;
	uint64_t address = ADDRESS + 2 * MIB, entry = rig_get(m->rig, &m->tables, ADDRESS, 2);

	rig_put(m->rig, &m->tables, address, 2, entry); /* another entry to the same table */
	begin(m);
	access_while_it_changes(m, address, entry, to_another(m));
	expect_b(m, address);
}

static void a_lost_bit_counts_as_changed(void **state)
{
	struct machine *m = *state;
	uint64_t address = ADDRESS + 2 * MIB, entry = rig_get(m->rig, &m->tables, ADDRESS, 2);

	rig_put(m->rig, &m->tables, address, 2, entry);
	begin(m);
	access_while_it_changes(m, address, entry, entry & ~PTE_A);
	assert_int_equal(rig_walk(m->rig, m->root, address).status, HOST_OK);
	assert_true(rig_get(m->rig, &m->tables, address, 2) & PTE_A);
}

static void entries_that_gain_rights_are_read_again(void **state)
{
	struct machine *m = *state;
	uint64_t address = ADDRESS, entry = rig_get(m->rig, &m->tables, ADDRESS, 2);

	rig_put(m->rig, &m->tables, address, 2, entry & ~PTE_W);
	begin(m);
	assert_false(rig_walk(m->rig, m->root, address).write);
	access_while_it_changes(m, address, entry, to_another(m));
	expect_b(m, address);
}

/* The table that was compared is a level above the entry. */
static void entries_below_are_read_again(void **state)
{
	struct machine *m = *state;
	uint64_t above = ADDRESS + GIB, address = above + 2 * MIB;

	rig_put(m->rig, &m->tables, above, 3, rig_get(m->rig, &m->tables, ADDRESS, 3));
	rig_put(m->rig, &m->tables, address, 1, FRAME_A | E_PAGE); /* a table without a shadow */
	begin(m);
	access_while_it_changes(m, address, rig_get(m->rig, &m->tables, address, 2), to_another(m));
	expect_b(m, address);
}

/*
 * A table gets its first shadow by the fault whose walk has read it already. Another processor has
 * it in a large page, which D says nothing of, and writes it between the two.
 */
static void what_the_walk_read_before_tracking_is_read_again(void **state)
{
	struct machine *m = *state;
	uint64_t address = ADDRESS + 2 * MIB, table = ram_page_gpa(RAM_LOW_PAGES);

	rig_put(m->rig, &m->tables, address, 2, table | E_TABLE);
	rig_put(m->rig, &m->tables, address, 1, FRAME_A | E_PAGE);
	begin(m);
	reach(m, 1, table);
	assert_true(rig_walk(m->rig, m->npt01[1], table).level > 1);
	amid.machine = m;
	amid.at = table;
	amid.gpa = rig_entry(m->rig, &m->tables, address, 1);
	amid.looks = 1; /* the walk's */
	amid.size = 8;
	amid.value = FRAME_B | E_PAGE;
	m->rig->on_page = write_amid;
	rig_access(m->rig, 0, &m->tables, address, 0);
	assert_null(m->rig->on_page);
	flush_and_run(m);
	expect_b(m, address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_another_processor_writes_is_read),
		TEST(an_unarmed_processor_counts_as_dirty),
		TEST(ones_own_writes_are_read_once),
		TEST(who_stays_unarmed_is_kicked_once),
		TEST(a_watched_frame_that_another_one_writes),
		TEST(who_watches_is_not_the_one_before),
		TEST(a_table_that_comes_again_tells),
		TEST(entries_are_read_again_after_comparing),
		TEST(a_lost_bit_counts_as_changed),
		TEST(entries_that_gain_rights_are_read_again),
		TEST(entries_below_are_read_again),
		TEST(what_the_walk_read_before_tracking_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
