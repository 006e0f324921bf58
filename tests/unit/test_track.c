/*
 * Tracked frames: that L0 learns of each write to a table, by whatever way it came, and reads
 * nothing else.
 */
#include "tests/unit/track_test.h"

#include <string.h>
#include <sys/mman.h>

static void a_flush_reads_what_l1_wrote(void **state)
{
	struct machine *m = *state;

	run_and_touch(m);
	assert_int_equal(flush_and_run(m), 0);
	l1_writes(m, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_A);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
	assert_int_equal(flush_and_run(m), 0);
	l1_writes(m, ADDRESS, 3, 0);
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).status, HOST_MISSING);
	/* Memory that is no table costs nothing. */
	assert_true(mmu_direct_fault(m->mmu, m->cpu, 5 * GIB));
	*rig_walk(m->rig, m->npt01, 5 * GIB).leaf |= PTE_D;
	assert_int_equal(flush_and_run(m), 0);
}

static void the_dirty_bit_is_cleared_with_a_flush(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = rig_entry(m->rig, &m->tables, ADDRESS, 1);

	run_and_touch(m);
	assert_false(m->cpu->flush_direct); /* NPT01 maps nothing yet */
	l1_writes(m, ADDRESS, 1, FRAME_A | E_PAGE);
	flush_and_run(m);
	assert_true(m->cpu->flush_direct);
	m->cpu->flush_direct = false;
	assert_int_equal(flush_and_run(m), 0);
	assert_false(m->cpu->flush_direct);
	l1_writes(m, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_true(leaf_of(m, gpa) & PTE_D);
	flush_and_run(m);
	assert_false(leaf_of(m, gpa) & PTE_D);
	assert_true(m->cpu->flush_direct);
}

/* What was mapped by a large page stays mapped, by small ones, and is flushed. */
static void tracking_splits_large_pages(void **state)
{
	struct machine *m = *state;
	uint64_t table = rig_entry(m->rig, &m->tables, ADDRESS, 1) & ~0xfffull;

	assert_true(mmu_direct_fault(m->mmu, m->cpu, table));
	assert_int_equal(rig_walk(m->rig, m->npt01, table).level, 3);
	run_and_touch(m);
	assert_true(m->cpu->flush_direct);
	assert_int_equal(rig_walk(m->rig, m->npt01, table).level, 1);
	assert_int_equal(rig_walk(m->rig, m->npt01, table + 2 * MIB).level, 2);
	for (uint64_t gpa = 0; gpa < GIB; gpa += MIB + 0x3000) {
		struct host_result seen = rig_walk(m->rig, m->npt01, gpa);

		assert_int_equal(seen.status, HOST_OK);
		assert_int_equal(seen.hpa, gpa);
		assert_true(seen.write && seen.execute);
	}
	/* Neighbours that are no tables keep D: nothing is to be learned of them. */
	assert_true(leaf_of(m, table + 32 * 0x1000) & PTE_D);
}

static void frames_are_let_go_with_their_last_shadow(void **state)
{
	struct machine *m = *state;

	run_and_touch(m);
	assert_int_equal(m->mmu->frames_tracked, 4);
	assert_int_equal(mmu_load_root(m->mmu, m->cpu, &m->tables, ASID), m->root);
	pool_reserve(m->mmu, m->mmu->page_count - 6);
	assert_int_equal(m->mmu->frames_tracked, 1); /* the root in use */
	assert_ok_invariants(m->rig);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	assert_int_equal(m->mmu->frames_tracked, 4);
}

/* L2 that has its own tables mapped: small, 2 MiB and 1 GiB pages. */
static void what_l2_writes_is_read(void **state)
{
	struct machine *m = *state;
	uint64_t table = rig_entry(m->rig, &m->tables, ADDRESS, 1) & ~0xfffull;

	for (int level = 1; level <= 3; level++) {
		uint64_t at = 0x8000000000ull * (unsigned int)level +
		              table % (1ull << shadow_shift(level));
		uint64_t frame = table & ~((1ull << shadow_shift(level)) - 1);

		rig_put(m->rig, &m->tables, at, level, frame | (level > 1 ? E_LARGE : E_PAGE));
		flush_and_run(m);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
		assert_int_equal(rig_walk(m->rig, m->root, at).hpa, table);
		flush_and_run(m);
		rig_put(m->rig, &m->tables, ADDRESS, 1,
		        FRAME_B | E_PAGE); /* by L2: no D anywhere */
		flush_and_run(m);
		assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
		/* The mapping goes: what L2 wrote until then, and may write until flushed, counts.
		 */
		rig_put(m->rig, &m->tables, ADDRESS, 1, FRAME_A | E_PAGE);
		l1_writes(m, at, level, 0);
		m->rig->flushes = 0;
		flush_and_run(m);
		assert_int_equal(rig_walk(m->rig, m->root, at).status, HOST_MISSING);
		assert_int_equal(m->rig->flushes, 1);
		flush_and_run(m);
		assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_A);
		assert_int_equal(flush_and_run(m), 0);
	}
}

/*
 * L1 that is where it believes has entries compared by word. Whatever bit of a small or large page
 * changes, the flush shows it.
 */
static void every_bit_of_a_page_counts(void **state)
{
	static const uint64_t changes[] = {PTE_W,        PTE_U,        PTE_A,  PTE_D,
	                                   PTE_PWT,      PTE_PCD,      PTE_NX, 1ull << 21,
	                                   1ull << 32,   1ull << 50,   PTE_P,  PTE_PAT_LARGE,
	                                   (1ull << 13), (1ull << 39), PTE_PS};
	static const struct {
		enum pt_format_id id;
		int level;
	} cases[] = {{PT_4LEVEL, 1}, {PT_4LEVEL, 2}, {PT_4LEVEL, 3}, {PT_PAE, 1},
	             {PT_PAE, 2},    {PT_2LEVEL, 1}, {PT_2LEVEL, 2}};
	struct machine *m = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int page = 0; page < RAM_PAGES; page++) {
			for (unsigned int n = 0; n < RAM_WORDS; n++)
				m->rig->ram.word[page][n] = 0;
			ram_will_write(&m->rig->ram, ram_page_gpa(page));
			mmu_note_write(m->mmu, ram_page_gpa(page));
		}
		ram_collect(&m->rig->ram);
		m->rig->next_page = 8;
		m->tables =
			rig_guest(cases[i].id, MODE_NX | MODE_1G | MODE_PSE, 48, ram_page_gpa(i));
		for (size_t n = 0; n < sizeof(changes) / sizeof(changes[0]); n++) {
			uint64_t entry = 0x80000000 | (cases[i].level > 1 ? E_LARGE : E_PAGE);
			uint64_t changed = entry ^ changes[n];
			struct ref_mode mode = rig_ref_mode(&m->tables.mode);
			struct ref_state at = {cases[i].level, 0, true, true, true};
			struct ref_step step;
			struct host_result seen;

			if (cases[i].id == PT_2LEVEL && changes[n] > UINT32_MAX)
				continue;
			l1_writes(m, ADDRESS, cases[i].level, entry);
			run_and_touch(m);
			l1_writes(m, ADDRESS, cases[i].level, changed);
			flush_and_run(m);
			step = ref_look(&mode, &at, ADDRESS, changed);
			seen = rig_walk(m->rig, m->root, ADDRESS);
			if (seen.status != HOST_OK)
				continue; /* the next fault says what is there */
			assert_int_equal(step.verdict, REF_PAGE);
			assert_int_equal(seen.hpa, step.gpa);
			assert_true(step.next.user && (changed & PTE_A));
			assert_int_equal(seen.write, step.next.write && (changed & PTE_D));
			assert_int_equal(seen.execute, step.next.execute);
			assert_int_equal(seen.pat, step.pat);
		}
	}
}

/* An entry without attribute bits is write-back only where L1's PAT says so. */
static void the_first_type_of_the_pat_counts(void **state)
{
	struct machine *m = *state;

	m->tables.pat = pack_pat(0x0007040600070600); /* 0: UC, 1: WB */
	for (int level = 1; level <= 2; level++) {
		uint64_t entry = 0x80000000 | (level > 1 ? E_LARGE : E_PAGE);

		l1_writes(m, ADDRESS, level, entry | PTE_PWT);
		run_and_touch(m);
		assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).pat, host_pat_index(6));
		l1_writes(m, ADDRESS, level, entry);
		flush_and_run(m);
		assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).pat, host_pat_index(0));
	}
}

/* A translation whose spte has gone may still let L2 write a frame that becomes a table. */
static void stale_writers_are_flushed_before_a_frame_is_tracked(void **state)
{
	struct machine *m = *state;
	uint64_t table = rig_entry(m->rig, &m->tables, ADDRESS, 1) & ~0xfffull;
	uint64_t at = 0x8000000000ull;

	rig_put(m->rig, &m->tables, at, 1, table | E_PAGE);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
	l1_writes(m, at, 1, 0);
	m->rig->flushes = 0;
	flush_and_run(m);
	assert_int_equal(rig_walk(m->rig, m->root, at).status, HOST_MISSING);
	assert_int_equal(m->rig->flushes, 0);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	assert_int_equal(m->rig->flushes, 1);
}

static void l0s_own_writes_are_noted(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = rig_entry(m->rig, &m->tables, ADDRESS, 1);

	run_and_touch(m);
	rig_put(m->rig, &m->tables, ADDRESS, 1, FRAME_B | E_PAGE); /* as a VMCB's write-back */
	mmu_note_write(m->mmu, gpa);
	mmu_note_write(m->mmu, 64 * GIB); /* nobody's memory */
	assert_int_equal(flush_and_run(m), 1);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
}

/* Memory types moved: all leaves go; what they let L1 and L2 write is not forgotten. */
static void dropping_leaves_forgets_no_write(void **state)
{
	struct machine *m = *state;
	uint64_t at = 0x8000000000ull;

	rig_put(m->rig, &m->tables, at, 2, 2 * MIB | E_LARGE);
	run_and_touch(m);
	assert_true(mmu_direct_fault(m->mmu, m->cpu, 5 * GIB));
	l1_writes(m, ADDRESS, 1, FRAME_B | E_PAGE);
	mmu_drop_leaves(m->mmu);
	assert_true(flush_and_run(m) >= 1);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
	l1_writes(m, ADDRESS, 1, FRAME_A | E_PAGE); /* the new leaf tells, too */
	assert_true(flush_and_run(m) >= 1);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_A);
	assert_true(mmu_direct_fault(m->mmu, m->cpu, 5 * GIB));
	assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
	flush_and_run(m);
	rig_put(m->rig, &m->tables, ADDRESS, 1, FRAME_B | E_PAGE); /* by L2, through 2 MiB */
	m->rig->flushes = 0;
	mmu_drop_leaves(m->mmu);
	assert_true(m->rig->flushes > 0);
	assert_int_equal(rig_walk(m->rig, m->root, at).status, HOST_MISSING);
	assert_int_equal(rig_walk(m->rig, m->npt01, 5 * GIB).status, HOST_MISSING);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).status, HOST_MISSING);
	assert_ok_invariants(m->rig);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
	m->rig->hole_level = 1;
	assert_int_equal(rig_access(m->rig, 0, &m->tables, at, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, at).level, 1);
	assert_true(mmu_direct_fault(m->mmu, m->cpu, 5 * GIB));
	assert_int_equal(rig_walk(m->rig, m->npt01, 5 * GIB).level, 1);
}

/*
 * Of a 1 GiB page that goes, only those 2 MiB are looked at that have tracked frames: the bytes of
 * the others, from 16 MiB on, cannot even be read here.
 */
static void a_giant_that_goes_costs_what_is_tracked(void **state)
{
	struct machine *m = *state;
	uint64_t at = 0x8000000000ull;
	uint8_t *all = m->mmu->frames, *frames;
	enum { READABLE = 4096, GIANT_FRAMES = 1 << 18 };

	rig_put(m->rig, &m->tables, at, 3, 0 | E_LARGE);
	run_and_touch(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, at).level, 3);
	flush_and_run(m);
	rig_put(m->rig, &m->tables, ADDRESS, 1, FRAME_B | E_PAGE); /* by L2, through 1 GiB */
	frames = mmap(NULL, GIANT_FRAMES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	              0);
	assert_ptr_not_equal(frames, MAP_FAILED);
	memcpy(frames, all, READABLE);
	assert_int_equal(mprotect(frames + READABLE, GIANT_FRAMES - READABLE, PROT_NONE), 0);
	m->mmu->frames = frames;
	spte_clear(m->mmu, m->mmu->pages + ((m->root - RIG_TABLES_HPA) >> PT_PAGE_SHIFT),
	           shadow_index(4, at));
	page_zap(m->mmu, page_shadows(m->mmu, rig_entry(m->rig, &m->tables, at, 3) & ~0xfffull));
	memcpy(all, frames, READABLE);
	m->mmu->frames = all;
	munmap(frames, GIANT_FRAMES);
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
}

/* More writers than a frame's byte can count: it is read at each flush, for good. */
static void many_writers(void **state)
{
	struct machine *m = *state;
	uint64_t table = rig_entry(m->rig, &m->tables, ADDRESS, 1) & ~0xfffull;

	flush_and_run(m);
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t at = ADDRESS + (i + 1) * 0x1000;

		rig_put(m->rig, &m->tables, at, 1, table | E_PAGE);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
	}
	assert_int_equal(m->mmu->frames[table >> 12] & FRAME_WRITERS, FRAME_WRITERS);
	assert_true(flush_and_run(m) >= 1);
	for (uint64_t i = 0; i < 40; i++)
		rig_put(m->rig, &m->tables, ADDRESS + (i + 1) * 0x1000, 1, 0);
	flush_and_run(m);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS + 0x1000).status, HOST_MISSING);
	rig_put(m->rig, &m->tables, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, 0), RIG_OK);
	flush_and_run(m);
	assert_int_equal(rig_walk(m->rig, m->root, ADDRESS).hpa, FRAME_B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flush_reads_what_l1_wrote),
		TEST(the_dirty_bit_is_cleared_with_a_flush),
		TEST(tracking_splits_large_pages),
		TEST(frames_are_let_go_with_their_last_shadow),
		TEST(what_l2_writes_is_read),
		TEST(every_bit_of_a_page_counts),
		TEST(the_first_type_of_the_pat_counts),
		TEST(stale_writers_are_flushed_before_a_frame_is_tracked),
		TEST(l0s_own_writes_are_noted),
		TEST(dropping_leaves_forgets_no_write),
		TEST(a_giant_that_goes_costs_what_is_tracked),
		TEST(many_writers),
	};

	return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}
