/*
 * Tracked frames with several processors: what each one's NPT01 maps there. Large pages go, leaves
 * come with D=0, and regions end or are skipped without a write being forgotten.
 */
#include "tests/unit/cpus_test.h"

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

/*
 * A region to whose leaves nobody came since all were looked at is not looked at: A of the entry
 * above tells, once the processor has flushed.
 */
static void quiet_regions_are_skipped(void **state)
{
	struct machine *m = *state;
	uint64_t *skipped = &m->cpu[0].counters.regions_skipped, before, *leaf[2], *above[2];

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
	uint64_t *skipped = &m->cpu[0].counters.regions_skipped, before;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_ones_large_page_goes_with_a_flush),
		TEST(where_nothing_is_mapped_nothing_is_flushed),
		TEST(ones_own_large_page_goes_with_ones_own_flush),
		TEST(a_frame_begins_unarmed),
		TEST(a_processor_may_come_up_late),
		TEST(a_region_that_ends_forgets_no_write),
		TEST(quiet_regions_are_skipped),
		TEST(a_table_in_a_quiet_region_begins_unarmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
