/*
 * Watched frames with several processors: the marks by which a write is found, each of them, and
 * how long they hold.
 */
#include "tests/unit/cpus_test.h"

#include "mmu/track.h"

static void *any_page(void *context, uint64_t gpa)
{
	static uint64_t page[RAM_WORDS];

	(void)context;
	(void)gpa;
	return page;
}

static uint64_t expected;
static unsigned int told_times, told_else;

static void tell(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	told_times += gpa == expected;
	told_else += gpa != expected;
}

/* The pool has a page for each region of a giant. */
static int start_large(void **state)
{
	static struct machine m;

	m.rig = rig_new(4, true, 600);
	m.mmu = &m.rig->mmu;
	m.cpu = m.rig->cpu;
	rig_track(m.rig);
	m.mmu->memory.page = any_page;
	m.npt01[0] = mmu_direct_root(m.mmu, &m.cpu[0]);
	m.rig->on_changed = tell;
	*state = &m;
	return 0;
}

/* Many marks are looked at together: each is found, by itself and beside frames of no interest. */
static void every_mark_is_found(void **state)
{
	static const unsigned int every[] = {1, 3, 7, 64, 65};
	struct machine *m = *state;

	for (unsigned int n = 0; n < 2 * sizeof(every) / sizeof(every[0]); n++) {
		uint64_t size = n % 2 ? 2 * MIB : 4 * KIB; /* frames of a region; regions */
		unsigned int step = every[n / 2];

		for (uint64_t i = 0; i < 512; i += step)
			mmu_watch(m->mmu, &m->cpu[0], GIB + i * size);
		for (uint64_t i = 0; i < 512; i++)
			reach(m, 0, GIB + i * size);
		for (unsigned int times = 0; times < 4; times++) {
			mmu_flush_all_asids(m->cpu);
			track_collect(m->mmu);
			mmu_direct_flushed(&m->cpu[0]);
		}
		for (uint64_t i = 0; i < 512; i += step) {
			told_times = told_else = 0;
			expected = GIB + i * size;
			write_by(path_of(m, 0, GIB + i * size));
			mmu_flush_all_asids(m->cpu);
			track_collect(m->mmu);
			assert_true(told_times > 0 && !told_else);
			mmu_direct_flushed(&m->cpu[0]);
		}
		for (uint64_t i = 0; i < 512; i += step)
			mmu_unwatch(m->mmu, GIB + i * size);
	}
	m->rig->on_changed = NULL;
}

/* D is believed until somebody clears it, who has told before: then the copy is not. */
static struct machine *at_tell;
static struct watch_marks marks;

static void still_marked(struct rig *rig, uint64_t gpa)
{
	(void)rig;
	(void)gpa;
	if (!told_times++ && at_tell)
		assert_false(mmu_watch_holds(&marks));
}

static void marks_hold_until_someone_is_told(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = m->table + 0x2000;

	begin(m);
	mmu_watch(m->mmu, m->cpu, gpa);
	mmu_watch(m->mmu, m->cpu, gpa + 0x1000);
	m->rig->on_changed = still_marked;
	for (int cpu = 0; cpu < 2; cpu++) {
		for (unsigned int page = 0; page < 2; page++) {
			for (int i = 0; i < 4; i++) {
				at_tell = NULL;
				mmu_direct_flushed(&m->cpu[0]);
				mmu_direct_flushed(&m->cpu[1]);
				mmu_watch_written(m->mmu, m->cpu, gpa);
				mmu_watch_written(m->mmu, m->cpu, gpa + 0x1000);
			}
			told_times = 0;
			assert_true(mmu_watch_marks(m->mmu, gpa, 2, &marks));
			assert_int_equal(marks.count, 4);
			assert_true(mmu_watch_holds(&marks));
			*reach(m, cpu, gpa + page * 0x1000) |= PTE_D;
			assert_false(mmu_watch_holds(&marks));
			at_tell = m;
			/* Whoever asks, and whoever flushes. */
			if (page)
				assert_true(mmu_watch_written(m->mmu, m->cpu, gpa + 0x1000));
			else
				flush_and_run(m);
			assert_true(told_times > 0);
			/* The other processor may have D=1 cached. */
			assert_int_equal(mmu_watch_marks(m->mmu, gpa, 2, &marks), cpu == 0);
		}
	}
	at_tell = NULL;
	/* A processor that comes late has marks of its own. */
	told_times = 0;
	m->npt01[2] = mmu_direct_root(m->mmu, &m->cpu[2]);
	reach(m, 2, gpa);
	assert_true(told_times >= 2);
	assert_false(mmu_watch_marks(m->mmu, gpa, WATCH_MARKS, &marks));
	m->rig->on_changed = NULL;
}

/* Where frames are mapped one by one a leaf comes after its region: it is no mark yet. */
static void a_leaf_that_comes_late_is_told(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = RAM_HIGH_GPA;

	m->rig->hole_level = 1;
	begin(m);
	mmu_watch(m->mmu, m->cpu, gpa);
	assert_true(mmu_watch_marks(m->mmu, gpa, 1, &marks));
	at_tell = NULL;
	told_times = 0;
	m->rig->on_changed = still_marked;
	reach(m, 1, gpa + 0x1000);
	*reach(m, 1, gpa) |= PTE_D;
	assert_true(told_times || !mmu_watch_holds(&marks));
	m->rig->on_changed = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(marks_hold_until_someone_is_told),
		TEST(a_leaf_that_comes_late_is_told),
		cmocka_unit_test_setup_teardown(every_mark_is_found, start_large, cpus_end),
	};

	return cmocka_run_group_tests_name("watch_marks", tests, NULL, NULL);
}
