/*
 * Watched frames: that who copies what is in them learns of each write, and before L2 can write.
 */
#include "tests/unit/track_test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(watched_frames),
		TEST(watching_makes_room),
		TEST(a_watched_frame_opens_to_l2),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
