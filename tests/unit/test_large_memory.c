/*
 * Much memory: what tracking costs there, how small a pool may be, and that splits of NPT01 are
 * given back.
 */
#include "boot/layout.h"
#include "mmu/track.h"
#include "tests/unit/mmu_test.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { ASID = 5 };

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

/* L1 comes to something else in the 1 GiB, and flushes all: what it does not come to falls asleep.
 */
static void collect(struct mmu *mmu, struct mmu_cpu *cpu, struct host_result seen)
{
	*seen.upper |= PTE_A;
	mmu_flush_all_asids(cpu);
	track_collect(mmu);
	mmu_direct_flushed(cpu);
}

/* Of many regions side by side each one that L1 comes to is found, be it by a glance at 64. */
static void many_regions_are_at_rest(void **state)
{
	enum { REGIONS = 64, PATIENCE = 200 };
	struct rig *rig = wide_rig(4, 256, 40 * GIB);
	struct mmu *mmu = &rig->mmu;
	struct mmu_cpu *cpu = &rig->cpu[0];
	uint64_t root = mmu_direct_root(mmu, cpu), before;

	(void)state;
	for (unsigned int n = 0; n < REGIONS; n++) {
		mmu_watch(mmu, cpu, GIB + n * 2 * MIB);
		mmu_direct_fault(mmu, cpu, GIB + n * 2 * MIB);
	}
	for (unsigned int n = 0; n < REGIONS; n++) {
		struct host_result seen = rig_look(rig, root, GIB + n * 2 * MIB);

		before = cpu->counters.glances;
		for (unsigned int i = 0; i < PATIENCE && cpu->counters.glances == before; i++)
			collect(mmu, cpu, seen);
		assert_int_equal(mmu->glance.come_64.count, 1);
		*seen.above |= PTE_A;
		*seen.leaf |= PTE_D;
		before = cpu->counters.frames_dirty;
		collect(mmu, cpu, seen);
		assert_int_equal(cpu->counters.frames_dirty, before + 1);
	}
	free_wide_rig(rig);
}

/* Where more frames are to be looked at than a glance remembers all are searched. */
static void many_frames_are_awake(void **state)
{
	enum { FRAMES = GLANCE_MARKS + 1, PATIENCE = 200 };
	struct rig *rig = wide_rig(4, 256, 40 * GIB);
	struct mmu *mmu = &rig->mmu;
	struct mmu_cpu *cpu = &rig->cpu[0];
	uint64_t root = mmu_direct_root(mmu, cpu), before;

	(void)state;
	for (uint64_t n = 0; n < FRAMES; n++) {
		mmu_watch(mmu, cpu, GIB + n * 4 * KIB);
		mmu_direct_fault(mmu, cpu, GIB + n * 4 * KIB);
		mmu_direct_flushed(cpu);
		*rig_look(rig, root, GIB).above |= PTE_A;
		*rig_look(rig, root, GIB).upper |= PTE_A;
		before = cpu->counters.glances;
		for (unsigned int i = 0; i < PATIENCE; i++)
			track_collect(mmu); /* no flush with which anything could fall asleep */
		assert_int_equal(cpu->counters.glances > before, n + 1 < FRAMES);
		*rig_look(rig, root, GIB + n * 4 * KIB).leaf |= PTE_D;
		before = cpu->counters.frames_dirty;
		track_collect(mmu);
		assert_int_equal(cpu->counters.frames_dirty, before + 1);
		mmu_direct_flushed(cpu);
	}
	free_wide_rig(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_pool_is_enough),
		cmocka_unit_test(the_pool_grows_as_processors_do),
		cmocka_unit_test(memory_is_large),
		cmocka_unit_test(splits_are_given_back),
		cmocka_unit_test(many_regions_are_at_rest),
		cmocka_unit_test(many_frames_are_awake),
	};

	return cmocka_run_group_tests_name("large_memory", tests, NULL, NULL);
}
