/*
 * Tracked frames with several processors: what each one's NPT01 maps there. Large pages go, leaves
 * come with D=0, and regions end or are skipped without a write being forgotten.
 */
#include "mmu/glance.h"
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

/* Regions that were searched, and giants that were not, since the last call. */
static uint64_t searched(struct machine *m)
{
	static uint64_t before;
	uint64_t now = m->cpu[0].counters.regions_read, count = now - before;

	glance_forget(m->mmu); /* what comes now is a whole search */
	before = now;
	return count;
}

static uint64_t skipped(struct machine *m)
{
	static uint64_t before;
	uint64_t now = m->cpu[0].counters.giants_skipped, count = now - before;

	glance_forget(m->mmu);
	before = now;
	return count;
}

/*
 * A region to whose leaves nobody came since all were looked at is not looked at: A of the entry
 * above tells, once the processor has flushed.
 */
static void quiet_regions_are_skipped(void **state)
{
	struct machine *m = *state;
	struct path path[2];

	begin(m);
	for (int i = 0; i < 2; i++) {
		path[i] = path_of(m, i, m->table);
		*path[i].above |= PTE_A;
		*path[i].upper |= PTE_A;
	}
	searched(m);
	assert_int_equal(flush_and_run(m), 0); /* no flush is due: A stays */
	assert_true(*path[0].above & PTE_A);
	assert_false(m->cpu[0].flush_direct);
	assert_int_equal(searched(m), 2);
	*path[0].leaf |= PTE_D;
	assert_int_equal(flush_and_run(m), 1);
	assert_false(*path[0].above & PTE_A);
	assert_false(*path[0].upper & PTE_A);
	assert_true(*path[1].above & PTE_A); /* nothing is due there */
	assert_int_equal(searched(m), 2);
	mmu_direct_flushed(&m->cpu[0]);
	flush_and_run(m);
	assert_int_equal(searched(m), 1);
	mmu_note_write(m->mmu, m->table); /* others write, too */
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(searched(m), 2);
	write_by(path[0]); /* L1 came by, and writes */
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
	mmu_direct_flushed(&m->cpu[0]);

	/* Another processor has the entries cached with A=1 and sets none before it flushes. */
	*path[1].leaf |= PTE_D;
	assert_int_equal(flush_and_run(m), 1);
	assert_false(*path[1].above & PTE_A);
	assert_false(*path[1].upper & PTE_A);
	*path[1].leaf |= PTE_D;
	edit(m, FRAME_A);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_A);
	*path[1].leaf |= PTE_D;
	edit(m, FRAME_B);
	mmu_direct_flushed(&m->cpu[1]);
	assert_true(flush_and_run(m) >= 1);
	assert_int_equal(leads_to(m), FRAME_B);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		mmu_direct_flushed(&m->cpu[1]);
	searched(m);
	flush_and_run(m);
	assert_int_equal(searched(m), 0);
	write_by(path[1]);
	edit(m, FRAME_A);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_A);
}

/* A above a giant tells of all its regions. It is believed behind a flush only, too. */
static void quiet_giants_are_skipped(void **state)
{
	struct machine *m = *state;
	struct path here;

	begin(m);
	here = path_of(m, 1, m->table);
	*here.leaf |= PTE_D;
	flush_and_run(m);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		mmu_direct_flushed(&m->cpu[1]);
	skipped(m);
	flush_and_run(m);
	assert_int_equal(skipped(m), 1); /* home is awake: its A is set, and no flush was due */
	*here.upper |= PTE_A;            /* it comes to another region, and keeps that entry */
	flush_and_run(m);
	assert_int_equal(skipped(m), 0);
	m->cpu[1].flush_direct = true; /* for whatever reason */
	flush_and_run(m);
	assert_false(*here.upper & PTE_A);
	*here.above |= PTE_A;
	*here.leaf |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
}

/* When L1 flushes all ASIDs its own goes with them, so regions may fall asleep. */
static void regions_fall_asleep_when_l1_flushes_all(void **state)
{
	struct machine *m = *state;
	struct path path;

	begin(m);
	path = path_of(m, 0, m->table);
	*path.above |= PTE_A;
	*path.upper |= PTE_A;
	flush_and_run(m);
	assert_true(*path.above & PTE_A);
	mmu_flush_all_asids(m->cpu);
	flush_and_run(m);
	assert_false(*path.above & PTE_A);
	assert_false(*path.upper & PTE_A);
	assert_true(m->cpu[0].flush_direct);
	mmu_direct_flushed(&m->cpu[0]);
	*path.above |= PTE_A;
	*path.upper |= PTE_A;
	flush_and_run(m); /* that was one flush */
	assert_true(*path.above & PTE_A);
	assert_false(m->cpu[0].flush_direct);
	for (int times = 0; times < 2; times++) { /* not at once: it was woken at once */
		mmu_flush_all_asids(m->cpu);
		flush_and_run(m);
		mmu_direct_flushed(&m->cpu[0]);
	}
	mmu_flush_all_asids(m->cpu);
	flush_and_run(m); /* there is none that could fall */
	assert_false(m->cpu[0].flush_direct);
}

/* How often A was cleared above a region to which L1 comes between each two flushes. */
static unsigned int falls_of(struct machine *m, struct path path, unsigned int flushes)
{
	unsigned int falls = 0;

	while (flushes--) {
		*path.above |= PTE_A;
		*path.upper |= PTE_A;
		mmu_flush_all_asids(m->cpu);
		flush_and_run(m);
		mmu_direct_flushed(&m->cpu[0]);
		falls += !(*path.above & PTE_A);
	}
	return falls;
}

/* Each A that is cleared may be a fault of a hypervisor's below: not for what never rests. */
static void a_region_that_never_rests_stays_awake(void **state)
{
	struct machine *m = *state;
	struct path path;

	begin(m);
	path = path_of(m, 0, m->table);
	assert_int_equal(falls_of(m, path, 1), 1);
	assert_int_equal(falls_of(m, path, 1 + 1), 1);
	assert_int_equal(falls_of(m, path, 3), 0);
	assert_int_equal(falls_of(m, path, 1), 1);
	assert_int_equal(falls_of(m, path, 7 + 1 + 15 + 1 + 31 + 1 + 63 + 1), 4);
	assert_int_equal(falls_of(m, path, 3 * 64), 3);
	/* One flush in peace, and it falls asleep as others do. */
	for (int i = 0; i < 64; i++) {
		mmu_flush_all_asids(m->cpu);
		flush_and_run(m);
		mmu_direct_flushed(&m->cpu[0]);
	}
	searched(m);
	mmu_flush_all_asids(m->cpu);
	flush_and_run(m);
	assert_int_equal(searched(m), 1); /* the other processor's, which nobody has put to sleep */
	assert_int_equal(falls_of(m, path, 1), 1);
	/* What it writes meanwhile is seen. */
	assert_int_equal(falls_of(m, path, 1), 0);
	*path.leaf |= PTE_D;
	edit(m, FRAME_B);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(leads_to(m), FRAME_B);
}

/* Each way in which others write wakes the region at home. */
static void others_wake_a_region(void **state)
{
	struct machine *m = *state;

	begin(m);
	for (int level = 1; level <= 3; level++) {
		uint64_t tables = level == 1 ? 1 : 4; /* that the leaf lets L2 write */
		uint64_t spte = (m->table & -(1ull << shadow_shift(level))) | PTE_P | PTE_W;

		mmu_flush_all_asids(m->cpu);
		for (int i = 0; i < 3; i++) {
			flush_and_run(m);
			mmu_direct_flushed(&m->cpu[0]);
		}
		skipped(m);
		flush_and_run(m);
		assert_int_equal(skipped(m), 1);
		track_leaf(m->mmu, spte, level);
		assert_int_equal(flush_and_run(m), tables);
		assert_int_equal(flush_and_run(m), tables); /* as long as the leaf is there */
		untrack_leaf(m->mmu, spte, level);
		assert_int_equal(flush_and_run(m), tables);
		assert_int_equal(flush_and_run(m), 0);
	}
}

/*
 * Leaves of frames that are no tables have D=1, so a processor that comes to one sets A alone. If
 * the frame becomes a table then, A says that the region must be looked at.
 */
static void a_table_in_a_quiet_region_begins_unarmed(void **state)
{
	struct machine *m = *state;
	uint64_t address = ADDRESS + 2 * MIB;
	struct path path;

	begin(m);
	*reach(m, 1, m->table) |= PTE_D;
	flush_and_run(m);
	mmu_direct_flushed(&m->cpu[1]);
	while (flush_and_run(m))
		;
	path = path_of(m, 1, m->table + 0x1000);
	assert_false(*path.above & PTE_A);
	assert_true(*path.leaf & PTE_D);
	skipped(m);
	flush_and_run(m);
	assert_true(skipped(m) > 0);

	*path.upper |= PTE_A;
	*path.above |= PTE_A;
	rig_put(m->rig, &m->tables, address, 1, FRAME_A | E_PAGE);
	assert_int_equal(rig_entry(m->rig, &m->tables, address, 1) & ~0xfffull, m->table + 0x1000);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, address, 0), RIG_OK);
	assert_false(*path.leaf & PTE_D);
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
		TEST(quiet_giants_are_skipped),
		TEST(regions_fall_asleep_when_l1_flushes_all),
		TEST(a_region_that_never_rests_stays_awake),
		TEST(others_wake_a_region),
		TEST(a_table_in_a_quiet_region_begins_unarmed),
	};

	return cmocka_run_group_tests_name("cpus_regions", tests, NULL, NULL);
}
