/*
 * Tracked frames: that L0 learns of each write to a table or a watched frame, by whatever way it
 * came, and reads nothing else. L1's processor is the test itself: it sets D when it writes, but
 * not while it has D=1 cached.
 */
#include "boot/layout.h"
#include "tests/unit/mmu_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ASID = 5 };

#define ADDRESS 0x40201000ull
#define FRAME_A (4 * GIB)
#define FRAME_B (4 * GIB + 0x5000)

struct machine {
	struct rig *rig;
	struct mmu *mmu;
	struct mmu_cpu *cpu;
	struct guest_tables tables;
	uint64_t npt01, root;
};

static int start(void **state)
{
	static struct machine m;

	m.rig = rig_new(4, true, 128);
	m.mmu = &m.rig->mmu;
	m.cpu = &m.rig->cpu[0];
	m.mmu->phys_bits = 48;
	rig_track(m.rig);
	m.npt01 = mmu_direct_root(m.mmu, m.cpu);
	m.tables = rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m.rig));
	rig_put(m.rig, &m.tables, ADDRESS, 1, FRAME_A | E_PAGE);
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

/* L1 writes an entry by NPT01, as its processor does that has nothing cached. */
static void l1_writes(struct machine *m, uint64_t address, int level, uint64_t entry)
{
	uint64_t gpa = rig_entry(m->rig, &m->tables, address, level);
	struct host_result seen = rig_walk(m->rig, m->npt01, gpa);

	if (seen.status != HOST_OK) {
		assert_true(mmu_direct_fault(m->mmu, m->cpu, gpa));
		seen = rig_walk(m->rig, m->npt01, gpa);
	}
	assert_int_equal(seen.hpa, gpa);
	*seen.leaf |= PTE_D;
	rig_put(m->rig, &m->tables, address, level, entry);
}

static uint64_t counted(struct machine *m)
{
	return m->mmu->counters->tables_read;
}

/* Flush, VMRUN. Returns how many tables were read for it. */
static uint64_t flush_and_run(struct machine *m)
{
	uint64_t before = counted(m);

	mmu_flush_asid(m->cpu, ASID);
	m->root = mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
	return counted(m) - before;
}

static void run_and_touch(struct machine *m)
{
	flush_and_run(m);
	assert_int_equal(rig_access(m->rig, 0, &m->tables, ADDRESS, ACCESS_WRITE), RIG_OK);
	flush_and_run(m);
}

static uint64_t leaf_of(struct machine *m, uint64_t gpa)
{
	struct host_result seen = rig_walk(m->rig, m->npt01, gpa);

	assert_int_equal(seen.status, HOST_OK);
	return *seen.leaf;
}

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

static unsigned int told;

static void tell(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	assert_int_equal(gpa, ram_page_gpa(10));
	told++;
}

static void watched_frames(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = ram_page_gpa(10);

	told = 0;
	m->rig->on_changed = tell;
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	mmu_watch(m->mmu, m->cpu, gpa);
	mmu_watch(m->mmu, m->cpu, 0x30000000); /* no memory: never changes */
	assert_true(mmu_direct_fault(m->mmu, m->cpu, gpa));
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_false(mmu_watch_written(m->mmu, m->cpu, 0x30000000));
	*rig_walk(m->rig, m->npt01, gpa).leaf |= PTE_D; /* L1 */
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 2); /* before D is cleared, too */
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	told = 0;
	mmu_note_walk(m->mmu, gpa); /* a walk set A there */
	mmu_note_walk(m->mmu, gpa + 0x1000);
	assert_true(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 1);
	told = 0;
	*rig_walk(m->rig, m->npt01, gpa).leaf |= PTE_D;
	flush_and_run(m); /* finds it, too */
	assert_true(told > 0);
	told = 0;
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	mmu_unwatch(m->mmu, gpa);
	mmu_unwatch(m->mmu, gpa);
	*rig_walk(m->rig, m->npt01, gpa).leaf |= PTE_D;
	assert_false(mmu_watch_written(m->mmu, m->cpu, gpa));
	assert_int_equal(told, 0);
}

/* Watching needs pages of NPT01: when the pool is empty others make room. */
static void watching_makes_room(void **state)
{
	struct machine *m = *state;
	bool found;

	for (uint64_t n = 0; m->mmu->free_count; n++)
		page_get(m->mmu, 0x10000000 + n * 0x1000,
		         (union shadow_role){.level = 1, .format = PT_4LEVEL}, &found);
	mmu_watch(m->mmu, m->cpu, ram_page_gpa(10));
	assert_true(m->mmu->counters->reclaims > 0);
	assert_int_equal(rig_walk(m->rig, m->npt01, ram_page_gpa(10)).status, HOST_MISSING);
	assert_true(mmu_direct_fault(m->mmu, m->cpu, ram_page_gpa(10)));
	assert_int_equal(rig_walk(m->rig, m->npt01, ram_page_gpa(10)).level, 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

static unsigned int opened;
static bool too_late;

static void on_opens(struct rig *rig, uint64_t gpa)
{
	struct mmu_cpu *cpu = &rig->cpu[0];

	assert_int_equal(gpa, ram_page_gpa(RAM_LOW_PAGES - 1));
	opened++;
	too_late |= cpu->current && rig_walk(rig, page_hpa(&rig->mmu, cpu->current), ADDRESS).write;
}

/* Before L2 can write a watched frame whoever has a copy is told: small leaf and large. */
static void a_watched_frame_opens_to_l2(void **state)
{
	static const struct {
		int level;
		uint64_t entry;
	} rows[] = {{1, E_PAGE}, {2, E_LARGE}, {3, E_LARGE}};
	struct machine *m = *state;
	uint64_t gpa = ram_page_gpa(RAM_LOW_PAGES - 1);

	m->rig->on_opens = on_opens;
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t low = (1ull << (12 + 9 * (rows[i].level - 1))) - 1;
		uint64_t at = (ADDRESS & ~low) | (gpa & low);

		opened = too_late = 0;
		l1_writes(m, ADDRESS, rows[i].level, (gpa & ~low) | (rows[i].entry & ~PTE_W));
		mmu_watch(m->mmu, m->cpu, gpa);
		mmu_flush_asid(m->cpu, ASID);
		mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, at, 0), RIG_OK);
		assert_int_equal(opened, 0);
		assert_false(mmu_watch_is_open(m->mmu, gpa));
		l1_writes(m, ADDRESS, rows[i].level, (gpa & ~low) | rows[i].entry);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, at, ACCESS_WRITE), RIG_OK);
		assert_int_equal(opened, 1);
		assert_false(too_late);
		assert_true(mmu_watch_is_open(m->mmu, gpa));
		/* So does what L0 writes. */
		mmu_note_write(m->mmu, gpa);
		assert_int_equal(opened, 2);
		l1_writes(m, ADDRESS, rows[i].level, 0);
		mmu_flush_asid(m->cpu, ASID);
		mmu_load_root(m->mmu, m->cpu, &m->tables, ASID);
		assert_false(mmu_watch_is_open(m->mmu, gpa));
		mmu_unwatch(m->mmu, gpa);
		mmu_note_write(m->mmu, gpa);
		assert_int_equal(opened, 2);
		assert_int_equal(m->mmu->frames_watched, 0);
	}
}

static void *any_page(void *context, uint64_t gpa)
{
	static uint8_t blank[4096] __attribute__((aligned(4096)));

	(void)context;
	(void)gpa;
	return blank;
}

static void *tracking;
static uint64_t tracking_size;

/* Memory up to end. What is known of its frames need not be there before it is asked for. */
static struct rig *wide_rig(int levels, uint32_t pages, uint64_t end)
{
	struct rig *rig = rig_new(levels, true, pages);
	uint64_t size = track_metadata_size(end);

	rig->hpa_bit = 0;
	rig->mmu.identity = true;
	rig->mmu.memory.page = any_page;
	tracking = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	tracking_size = size;
	assert_true(tracking != MAP_FAILED);
	madvise(tracking, size, MADV_NOHUGEPAGE);
	track_init(&rig->mmu, end, tracking);
	return rig;
}

static void free_wide_rig(struct rig *rig)
{
	munmap(tracking, tracking_size);
	rig_free(rig);
}

/* All that can be pinned at one time is, each frame in a GiB of its own. */
static void pin_all(struct rig *rig, uint32_t cpus, uint32_t watched)
{
	uint64_t at = GIB;

	for (uint32_t i = 0; i < cpus; i++)
		mmu_direct_root(&rig->mmu, &rig->cpu[i]);
	for (uint32_t i = 0; i < cpus; i++) {
		struct guest_tables tables = rig_guest(PT_4LEVEL, MODE_NX, 48, at);

		mmu_load_root(&rig->mmu, &rig->cpu[i], &tables, ASID);
		at += GIB;
		for (uint32_t n = 0; n < watched; n++, at += GIB) {
			mmu_watch(&rig->mmu, &rig->cpu[i], at);
			mmu_direct_fault(&rig->mmu, &rig->cpu[i], at);
		}
	}
}

/* In the smallest pool there is always room for a descent, and in one page less
 * there is not. */
static void the_least_pool_is_enough(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 12; n++) {
		uint32_t cpus = 1 + n % RIG_CPUS, watched = n & 1 ? 11 : 1, least, descent;
		int levels = n < 6 ? 4 : 5;
		struct rig *rig = wide_rig(levels, 64, 40 * GIB);

		least = mmu_least_pages(&rig->mmu, cpus, watched);
		descent = pages_for(&rig->mmu, PT_MAX_LEVEL);
		free_wide_rig(rig);
		rig = wide_rig(levels, least, 40 * GIB);
		pin_all(rig, cpus, watched);
		for (uint64_t gpa = 0; gpa < GIB; gpa += 2 * MIB) {
			mmu_direct_fault(&rig->mmu, &rig->cpu[gpa / MIB % cpus], gpa);
			pool_reserve(&rig->mmu, descent);
			assert_true(rig->mmu.free_count >= descent);
		}
		pool_reserve(&rig->mmu, least);
		assert_int_equal(rig->mmu.free_count, descent);
		free_wide_rig(rig);
	}
}

/* What boot/start.c adds to the pool for each processor is enough, on every machine. */
static void the_pool_grows_as_processors_do(void **state)
{
	enum { WATCHED = 14, FIRST = 1 << 20 };
	static const uint64_t ends[] = {GIB, 40 * GIB, 1024 * GIB, 12 * 1024 * GIB};

	(void)state;
	for (unsigned int n = 0; n < sizeof(ends) / sizeof(*ends); n++) {
		struct mmu mmu = {.host_levels = n & 1 ? 4 : 5, .frame_count = ends[n] >> 12};

		for (uint32_t cpus = 1; cpus <= 4096; cpus++) {
			uint64_t least = mmu_least_pages(&mmu, cpus, WATCHED);

			assert_true(least * 4096 + mmu_metadata_size((uint32_t)least) <=
			            FIRST + (cpus - 1) * POOL_EACH);
		}
	}
}

/* Pages of memory that are there. */
static uint64_t resident(void *from, uint64_t size)
{
	uint64_t pages = (size + 4095) / 4096, count = 0;
	unsigned char *there = malloc(pages);

	assert_non_null(there);
	assert_int_equal(mincore(from, size, there), 0);
	for (uint64_t i = 0; i < pages; i++)
		count += there[i] & 1;
	free(there);
	return count;
}

/* A frame at the end of 12 TiB is as good as any, and nothing was done for all the others. */
static void memory_is_large(void **state)
{
	static const uint64_t at[] = {0, 0xfd00000000 - 4096, 1024 * GIB, 4567 * GIB,
	                              12 * 1024 * GIB - 4096};
	uint64_t end = 12 * 1024 * GIB;

	(void)state;
	for (int levels = 4; levels <= 5; levels++) {
		struct rig *rig = wide_rig(levels, 128, end);
		uint64_t root = mmu_direct_root(&rig->mmu, &rig->cpu[0]);

		assert_int_equal(rig->mmu.frame_count, end / 4096);
		assert_true(resident(tracking, tracking_size) <= 4);
		for (unsigned int i = 0; i < sizeof(at) / sizeof(*at); i++) {
			struct host_result seen;

			mmu_watch(&rig->mmu, &rig->cpu[0], at[i]);
			mmu_direct_fault(&rig->mmu, &rig->cpu[0], at[i]);
			assert_false(mmu_watch_written(&rig->mmu, &rig->cpu[0], at[i]));
			seen = rig_walk(rig, root, at[i]);
			assert_int_equal(seen.status, HOST_OK);
			assert_int_equal(seen.hpa, at[i]);
			*seen.leaf |= PTE_D;
			assert_true(mmu_watch_written(&rig->mmu, &rig->cpu[0], at[i]));
			assert_false(mmu_watch_written(&rig->mmu, &rig->cpu[0], at[i]));
		}
		mmu_watch(&rig->mmu, &rig->cpu[0], end);
		assert_int_equal(rig->mmu.frames_watched, 5);
		/* Of 790,000: those around the GiBs in which something was done. */
		assert_true(resident(tracking, tracking_size) <= 5 * 72);
		free_wide_rig(rig);
	}
}

/* What NPT01 was split into for frames that are tracked is the pool's again, once it is wanted. */
static void splits_are_given_back(void **state)
{
	enum { PAGES = 256, FRAMES = 12 };
	struct rig *rig = wide_rig(4, PAGES, 40 * GIB);
	struct mmu *mmu = &rig->mmu;
	uint32_t at_rest, free_count = PAGES;

	(void)state;
	for (unsigned int i = 0; i < RIG_CPUS; i++) {
		mmu_direct_root(mmu, &rig->cpu[i]);
		for (unsigned int n = 0; n < FRAMES; n++)
			mmu_direct_fault(mmu, &rig->cpu[i], n * GIB);
	}
	at_rest = mmu->free_count;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int n = 0; n < FRAMES; n++) {
			mmu_watch(mmu, &rig->cpu[n % RIG_CPUS], n * GIB);
			for (unsigned int i = 0; i < RIG_CPUS; i++)
				mmu_direct_fault(mmu, &rig->cpu[i], n * GIB);
		}
		assert_true(mmu->free_count < at_rest);
		assert_true(!round || mmu->free_count == free_count);
		free_count = mmu->free_count;
		for (unsigned int n = 0; n < FRAMES; n++)
			mmu_unwatch(mmu, n * GIB);
		pool_reserve(mmu, PAGES);
		assert_int_equal(mmu->free_count, PAGES - RIG_CPUS);
		for (unsigned int i = 0; i < RIG_CPUS; i++) {
			for (unsigned int n = 0; n < FRAMES; n++)
				mmu_direct_fault(mmu, &rig->cpu[i], n * GIB);
		}
		assert_int_equal(mmu->free_count, at_rest);
	}
	free_wide_rig(rig);
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
		cmocka_unit_test(the_least_pool_is_enough),
		cmocka_unit_test(the_pool_grows_as_processors_do),
		cmocka_unit_test(memory_is_large),
		cmocka_unit_test(splits_are_given_back),
		TEST(watched_frames),
		TEST(watching_makes_room),
		TEST(many_writers),
		cmocka_unit_test_setup_teardown(a_watched_frame_opens_to_l2, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
