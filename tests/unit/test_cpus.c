/*
 * Tracked frames with several processors: what L1 writes on one shows after a flush on another,
 * whatever that one has cached of NPT01. The test itself is L1's processors: it sets D or, where
 * they may have D=1 cached, does not.
 */
#include "tests/unit/mmu_test.h"

#include <string.h>

enum { ASID = 5 };

#define ADDRESS 0x40201000ull
#define FRAME_A (4 * GIB)
#define FRAME_B (4 * GIB + 0x5000)

struct machine {
	struct rig *rig;
	struct mmu *mmu;
	struct mmu_cpu *cpu; /* RIG_CPUS of them */
	struct guest_tables tables;
	uint64_t npt01[RIG_CPUS], root, table;
};

static int start(void **state)
{
	static struct machine m;

	m.rig = rig_new(4, true, 128);
	m.mmu = &m.rig->mmu;
	m.cpu = m.rig->cpu;
	m.mmu->phys_bits = 48;
	rig_track(m.rig);
	for (int i = 0; i < 2; i++) /* the third one comes late */
		m.npt01[i] = mmu_direct_root(m.mmu, &m.cpu[i]);
	m.tables = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m.rig));
	rig_put(m.rig, &m.tables, ADDRESS, 1, FRAME_A | E_PAGE);
	m.table = rig_entry(m.rig, &m.tables, ADDRESS, 1) & ~0xfffull;
	*state = &m;
	return 0;
}

static int end(void **state)
{
	struct machine *m = *state;
	const char *wrong = broken_invariant(m->mmu, m->rig->cpu, RIG_CPUS);

	rig_free(m->rig);
	if (wrong)
		print_error("%s\n", wrong);
	return wrong ? -1 : 0;
}

/* L1's processor has a translation of the gpa; it is made if it is missing. */
static uint64_t *reach(struct machine *m, int cpu, uint64_t gpa)
{
	struct host_result seen = rig_walk(m->rig, m->npt01[cpu], gpa);

	if (seen.status != HOST_OK) {
		assert_true(mmu_direct_fault(m->mmu, &m->cpu[cpu], gpa));
		seen = rig_walk(m->rig, m->npt01[cpu], gpa);
	}
	assert_int_equal(seen.hpa, gpa);
	return seen.leaf;
}

static void edit(struct machine *m, uint64_t entry)
{
	rig_put(m->rig, &m->tables, ADDRESS, 1, entry | E_PAGE);
}

/* Flush and VMRUN on processor 0. Returns how many tables were read for it. */
static uint64_t flush_and_run(struct machine *m)
{
	uint64_t before = m->mmu->counters.tables_read;

	mmu_flush_asid(m->cpu, ASID);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	return m->mmu->counters.tables_read - before;
}

static uint64_t leads_to(struct machine *m)
{
	struct host_result seen;

	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	seen = rig_walk(m->rig, m->root, ADDRESS);
	return seen.hpa;
}

/* Processors run L1, have flushed what they had to, and the table is shadowed. */
static void begin(struct machine *m)
{
	flush_and_run(m);
	assert_int_equal(leads_to(m), FRAME_A);
	for (int i = 0; i < 2; i++) {
		reach(m, i, m->table);
		mmu_direct_flushed(&m->cpu[i]);
	}
	while (flush_and_run(m))
		;
}

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
	struct mmu_ops without = *m->mmu->ops;
	uint64_t read;

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
	assert_int_equal(m->mmu->counters.kicks, 2);
	begin(m);
	without.kick = NULL;
	m->mmu->ops = &without;
	*reach(m, 1, m->table) |= PTE_D;
	for (int i = 0; i < 20; i++)
		assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(m->mmu->counters.kicks, 2);
	/* One that flushes now and then is let alone. */
	begin(m);
	for (int i = 0; i < 20; i++) {
		*reach(m, 1, m->table) |= PTE_D;
		flush_and_run(m);
		flush_and_run(m);
		mmu_direct_flushed(&m->cpu[1]);
	}
	assert_int_equal(m->mmu->counters.kicks, 2);
}

static struct machine *at_flush;
static unsigned int seen_at_flush;

/* No processor may have two sizes for one address: the large one is gone, and no small one there.
 */
static void both_are_gone(struct rig *rig)
{
	assert_int_equal(rig_walk(rig, at_flush->npt01[1], at_flush->table).status, HOST_MISSING);
	seen_at_flush++;
}

static void another_ones_large_page_goes_with_a_flush(void **state)
{
	struct machine *m = *state;
	struct host_result seen;

	reach(m, 1, m->table);
	assert_int_equal(rig_walk(m->rig, m->npt01[1], m->table).level, 3);
	at_flush = m;
	seen_at_flush = 0;
	m->rig->on_flush = both_are_gone;
	flush_and_run(m);
	assert_int_equal(leads_to(m), FRAME_A);
	assert_true(seen_at_flush > 0);
	m->rig->on_flush = NULL;
	/* It comes back by one fault, small and with D=0, and its neighbours with it. */
	assert_false(*reach(m, 1, m->table) & PTE_D);
	assert_int_equal(rig_walk(m->rig, m->npt01[1], m->table).level, 1);
	for (uint64_t gpa = 0; gpa < GIB; gpa += MIB + 0x3000) {
		seen = rig_walk(m->rig, m->npt01[1], gpa);
		assert_int_equal(seen.status, HOST_OK);
		assert_int_equal(seen.hpa, gpa);
		assert_int_equal(seen.level, gpa / (2 * MIB) == m->table / (2 * MIB) ? 1 : 2);
	}
	*reach(m, 1, m->table) |= PTE_D;
	edit(m, FRAME_B);
	flush_and_run(m);
	assert_int_equal(leads_to(m), FRAME_B);
}

static void where_nothing_is_mapped_nothing_is_flushed(void **state)
{
	struct machine *m = *state;

	reach(m, 0, m->table); /* its own it drops without: it runs no guest now */
	flush_and_run(m);
	assert_int_equal(leads_to(m), FRAME_A);
	assert_int_equal(m->rig->flushes, 0);
	assert_true(m->cpu[0].flush_direct);
	assert_false(m->cpu[1].flush_direct);
	assert_int_equal(flush_and_run(m), 0);
}

/* The one at work has to flush when a large page of its own went, though it gets no leaves yet. */
static void ones_own_large_page_goes_with_ones_own_flush(void **state)
{
	struct machine *m = *state;

	reach(m, 1, m->table);
	mmu_flush_asid(&m->cpu[1], ASID);
	mmu_load_root(m->mmu, &m->cpu[1], &m->tables, ASID);
	assert_int_equal(rig_access(m->rig, 1, &m->tables, ADDRESS, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->npt01[1], m->table).status, HOST_MISSING);
	assert_true(m->cpu[1].flush_direct);
	assert_int_equal(m->rig->flushes, 0);
}

/* A frame becomes a table where another processor has 4 KiB leaves: it has D=1 cached. */
static void a_frame_begins_unarmed(void **state)
{
	struct machine *m = *state;

	begin(m);
	assert_true(*reach(m, 1, m->table + 0x1000) & PTE_D);
	rig_put(m->rig, &m->tables, ADDRESS + 2 * MIB, 1, FRAME_A | E_PAGE);
	assert_int_equal(rig_entry(m->rig, &m->tables, ADDRESS + 2 * MIB, 1) & ~0xfffull,
	                 m->table + 0x1000);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS + 2 * MIB, 0), RIG_OK);
	assert_false(*reach(m, 1, m->table + 0x1000) & PTE_D);
	assert_int_equal(m->rig->flushes, 0);
	rig_put(m->rig, &m->tables, ADDRESS + 2 * MIB, 1, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS + 2 * MIB, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS + 2 * MIB).hpa, FRAME_B);
}

static void a_processor_may_come_up_late(void **state)
{
	struct machine *m = *state;

	begin(m);
	m->npt01[2] = mmu_direct_root(m->mmu, &m->cpu[2]);
	assert_int_equal(flush_and_run(m), 0);
	assert_false(*reach(m, 2, m->table) & PTE_D);
	assert_int_equal(rig_walk(m->rig, m->npt01[2], m->table).level, 1);
	assert_int_equal(flush_and_run(m), 0);
	*reach(m, 2, m->table) |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
}

/* A processor's own tables of NPT01 may be reclaimed: what their D bits said is kept. */
static void a_region_that_ends_forgets_no_write(void **state)
{
	struct machine *m = *state;
	union shadow_role role = {.level = 1, .format = PT_4LEVEL};
	bool found;

	begin(m);
	*reach(m, 1, m->table) |= PTE_D;
	edit(m, FRAME_B);
	for (uint64_t n = 0; m->mmu->free_count; n++)
		page_get(m->mmu, 0x10000000 + n * 0x1000, role, &found);
	while (rig_walk(m->rig, m->npt01[1], m->table).status == HOST_OK) {
		/* The table's own shadow stays. */
		for (struct shadow_page *page = page_shadows(m->mmu, m->table); page;
		     page = page_next_shadow(page))
			page_touch(m->mmu, page);
		pool_reserve(m->mmu, m->mmu->free_count + 1);
		assert_ok_invariants(m->rig);
	}
	assert_non_null(page_shadows(m->mmu, m->table));
	assert_true(flush_and_run(m) > 0);
	assert_int_equal(leads_to(m), FRAME_B);
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
	assert_int_equal(told, 1);
	assert_false(*reach(m, 1, gpa) & PTE_D);
	assert_true(m->cpu[1].flush_direct);
	for (int i = 0; i < 10; i++)
		assert_true(mmu_watch_written(m->mmu, m->cpu, gpa)); /* unarmed */
	assert_int_equal(m->rig->kicks, 1);
	mmu_direct_flushed(&m->cpu[1]);
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 12);
}

/*
 * A region to whose leaves nobody came since all were looked at is not looked at: A of the entry
 * above tells, once the processor has flushed.
 */
static void quiet_regions_are_skipped(void **state)
{
	struct machine *m = *state;
	uint64_t *skipped = &m->mmu->counters.regions_skipped, before, *leaf[2], *above[2];

	begin(m);
	for (int i = 0; i < 2; i++) {
		struct host_result seen = rig_walk(m->rig, m->npt01[i], m->table);

		leaf[i] = seen.leaf;
		above[i] = seen.above;
		assert_true(*above[i] & PTE_A);
	}
	before = *skipped;
	assert_int_equal(flush_and_run(m), 0); /* no flush is due: A stays */
	assert_true(*above[0] & PTE_A);
	assert_false(m->cpu[0].flush_direct);
	*leaf[0] |= PTE_D;
	assert_int_equal(flush_and_run(m), 1);
	assert_false(*above[0] & PTE_A);
	assert_true(*above[1] & PTE_A); /* nothing is due there */
	assert_int_equal(*skipped, before);
	mmu_direct_flushed(&m->cpu[0]);
	flush_and_run(m);
	assert_int_equal(*skipped, ++before);
	mmu_note_write(m->mmu, m->table); /* others write, too */
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(*skipped, before);
	*above[0] |= PTE_A; /* L1 came by, and writes */
	*leaf[0] |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
	mmu_direct_flushed(&m->cpu[0]);
	before = *skipped;

	/* Another processor has the entry cached with A=1 and sets none before it flushes. */
	*leaf[1] |= PTE_D;
	assert_int_equal(flush_and_run(m), 1);
	assert_false(*above[1] & PTE_A);
	mmu_direct_flushed(&m->cpu[1]);
	assert_int_equal(flush_and_run(m), 1);
	*above[1] |= PTE_A;
	rig_put(m->rig, &m->tables, ADDRESS + 2 * MIB, 1, FRAME_A | E_PAGE);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS + 2 * MIB, 0), RIG_OK);
	assert_true(m->cpu[1].flush_direct); /* for the new table's leaf */
	flush_and_run(m);
	assert_false(*above[1] & PTE_A);
	*leaf[1] |= PTE_D; /* that one was armed */
	edit(m, FRAME_A);
	mmu_direct_flushed(&m->cpu[1]);
	assert_true(flush_and_run(m) >= 1);
	assert_int_equal(leads_to(m), FRAME_A);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		mmu_direct_flushed(&m->cpu[1]);
	before = *skipped;
	flush_and_run(m);
	assert_true(*skipped > before);
	*above[1] |= PTE_A;
	*leaf[1] |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
}

/*
 * Leaves of frames that are no tables have D=1, so a processor that comes to one sets A alone. If
 * the frame becomes a table then, A says that the region must be looked at.
 */
static void a_table_in_a_quiet_region_begins_unarmed(void **state)
{
	struct machine *m = *state;
	uint64_t *skipped = &m->mmu->counters.regions_skipped, before;
	uint64_t address = ADDRESS + 2 * MIB;
	struct host_result seen;

	begin(m);
	*reach(m, 1, m->table) |= PTE_D;
	flush_and_run(m);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		;
	seen = rig_look(m->rig, m->npt01[1], m->table + 0x1000);
	assert_false(*seen.above & PTE_A);
	assert_true(*seen.leaf & PTE_D);
	before = *skipped;
	flush_and_run(m);
	assert_true(*skipped > before);

	*seen.above |= PTE_A;
	rig_put(m->rig, &m->tables, address, 1, FRAME_A | E_PAGE);
	assert_int_equal(rig_entry(m->rig, &m->tables, address, 1) & ~0xfffull, m->table + 0x1000);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, address, 0), RIG_OK);
	assert_false(*seen.leaf & PTE_D);
	rig_put(m->rig, &m->tables, address, 1, FRAME_B | E_PAGE);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, address, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, address).hpa, FRAME_B);
}

static struct {
	struct machine *machine;
	uint64_t at, gpa;
	unsigned int size;
	uint64_t value;
} amid;

/* Processor 1 writes by what it has cached, and flushes, when mmu/ looks at a table. */
static void write_amid(struct rig *rig, uint64_t gpa)
{
	if (gpa != amid.at)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_another_processor_writes_is_read),
		TEST(an_unarmed_processor_counts_as_dirty),
		TEST(ones_own_writes_are_read_once),
		TEST(who_stays_unarmed_is_kicked_once),
		TEST(another_ones_large_page_goes_with_a_flush),
		TEST(where_nothing_is_mapped_nothing_is_flushed),
		TEST(ones_own_large_page_goes_with_ones_own_flush),
		TEST(a_frame_begins_unarmed),
		TEST(a_processor_may_come_up_late),
		TEST(a_region_that_ends_forgets_no_write),
		TEST(a_watched_frame_that_another_one_writes),
		TEST(quiet_regions_are_skipped),
		TEST(a_table_in_a_quiet_region_begins_unarmed),
		TEST(entries_are_read_again_after_comparing),
		TEST(a_lost_bit_counts_as_changed),
		TEST(entries_that_gain_rights_are_read_again),
		TEST(entries_below_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
