/*
 * The roots that a processor keeps, and what it shares with others: how many, how long, and that
 * none is taken for another.
 */
#include "tests/unit/root_rows.h"

#include <inttypes.h>

/* Local pages are each processor's own, what they lead to is everybody's. */
static void processors_share_common_pages_only(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		struct rig *rig = rig_new(row->host_levels, true, 32);
		struct guest_tables tables = tables_of(rig, row);
		struct shadow_page *first[6] = {NULL}, *second[6] = {NULL};
		uint64_t root[2];

		rig_put(rig, &tables, 0x80000000, 1, 0x40000000 | E_PAGE);
		for (unsigned int cpu = 0; cpu < 2; cpu++) {
			root[cpu] = mmu_load_root(&rig->mmu, &rig->cpu[cpu], &tables, 1);
			assert_int_equal(rig_access(rig, cpu, &tables, 0x80000000, 0), RIG_OK);
		}
		path(rig, root[0], 0x80000000, first);
		path(rig, root[1], 0x80000000, second);
		for (int level = 1; level <= row->host_levels; level++)
			assert_int_equal(first[level] != second[level], row->local && level >= 3);
		/* Each processor counts its own; of a fault that is reflected, too. */
		assert_int_equal(rig_access(rig, 0, &tables, 0, 0), REFLECTED(4));
		assert_int_equal(rig->cpu[0].counters.faults_reflected, 1);
		assert_int_equal(rig->cpu[1].counters.faults_reflected, 0);
		assert_int_equal(rig->cpu[0].counters.roots_built, 1);
		assert_int_equal(rig->cpu[1].counters.roots_built, row->local ? 1 : 0);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* Many guests by turns: the roots used lately stay, with all that is below them. */
static void roots_stay_cached(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		struct rig *rig = rig_new(row->host_levels, true, 200);
		uint64_t root[MMU_CACHED_ROOTS];
		uint64_t built;

		for (int turn = 0; turn < 3; turn++) {
			for (unsigned int n = 0; n < MMU_CACHED_ROOTS; n++) {
				struct guest_tables tables =
					rig_guest(row->id, row->flags, 48, ram_page_gpa(n));
				uint64_t hpa = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

				if (turn)
					assert_int_equal(hpa, root[n]);
				root[n] = hpa;
			}
		}
		built = rig->mmu.counters->roots_built;
		assert_int_equal(built, MMU_CACHED_ROOTS);
		/* One more: the one used least lately makes room; if local, it ends. */
		for (unsigned int n = 0; n < 2; n++) {
			struct guest_tables tables = rig_guest(
				row->id, row->flags, 48, ram_page_gpa(15) + 0x40000 * (n + 1));

			mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
			assert_int_equal(page_at(rig, root[n])->live, !row->local);
			assert_true(page_at(rig, root[n + 1])->live);
		}
		assert_int_equal(rig->mmu.counters->roots_built, built + 2);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* 2^16 roots: bounded memory, each of them works. */
static void any_number_of_roots(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct rig *rig = rig_new(rows[i].host_levels, true, 24);

		for (uint64_t n = 0; n < 65536; n++) {
			struct guest_tables tables =
				rig_guest(rows[i].id, rows[i].flags, 48, 0x10000000 + n * 0x1000);
			uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

			if (rig_walk(rig, root, 0).status != HOST_MISSING)
				fail_msg("%s: root %" PRIu64 " is not empty", rows[i].name, n);
		}
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* A root that was reclaimed, and its place taken by another page, is not mistaken for it. */
static void reclaimed_roots_are_built_again(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct rig *rig = rig_new(rows[i].host_levels, true, 16);
		struct guest_tables a = tables_of(rig, &rows[i]), b = tables_of(rig, &rows[i]);
		uint64_t root;

		rig_put(rig, &a, 0, 1, 0x40000000 | E_PAGE);
		rig_put(rig, &b, 0, 1, 0x40001000 | E_PAGE);
		mmu_load_root(&rig->mmu, &rig->cpu[0], &a, 1);
		assert_int_equal(rig_access(rig, 0, &a, 0, 0), RIG_OK);
		mmu_load_root(&rig->mmu, &rig->cpu[0], &b, 2);
		pool_reserve(&rig->mmu, 15); /* all but the current root */
		assert_int_equal(rig->mmu.free_count, 15);
		rig_put(rig, &a, 0, 1, 0x40002000 | E_PAGE);
		for (unsigned int n = 0; n < 12; n++) /* takes the free pages */
			mmu_direct_root(&rig->mmu, &(struct mmu_cpu){.clock = 0});
		root = mmu_load_root(&rig->mmu, &rig->cpu[0], &a, 1);
		assert_int_equal(rig->mmu.counters->roots_built, 3);
		assert_int_equal(rig_walk(rig, root, 0).status, HOST_MISSING);
		assert_ptr_equal(rig->cpu[0].current, page_at(rig, root));
		assert_int_equal(rig->cpu[0].current->pins, 1);
		rig_free(rig);
	}
}

/* Every format and mode and PAT at once, one table: no page is taken for another's. */
static void roles_keep_guests_apart(void **state)
{
	struct rig *rig = rig_new(5, true, 200);
	uint64_t gpa = rig_new_table(rig), roots[2 * ROWS];

	(void)state;
	for (unsigned int i = 0; i < 2 * ROWS; i++) {
		struct guest_tables tables =
			rig_guest(rows[i % ROWS].id, rows[i % ROWS].flags, 48, gpa);

		tables.pat = i < ROWS ? tables.pat : 0;
		roots[i] = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
		for (unsigned int n = 0; n < i; n++) {
			bool same = rows[n % ROWS].id == rows[i % ROWS].id &&
			            rows[n % ROWS].flags == rows[i % ROWS].flags &&
			            n / ROWS == i / ROWS;

			assert_int_equal(roots[n] == roots[i], same);
		}
	}
	rig_free(rig);
}

/* NPT01 is reclaimed like the rest, its root is not. */
static void direct_tables_are_reclaimed(void **state)
{
	struct rig *rig = rig_new(4, true, 16);
	uint64_t root = mmu_direct_root(&rig->mmu, &rig->cpu[0]);

	(void)state;
	for (uint64_t at = FRAME_4K; at < 4 * GIB; at += 4 * MIB) {
		mmu_direct_fault(&rig->mmu, &rig->cpu[0], at);
		assert_int_equal(rig_walk(rig, root, at).hpa, rig_map(at).hpa);
	}
	assert_true(rig->mmu.counters->reclaims > 100);
	assert_true(rig->cpu[0].direct->live);
	assert_ok_invariants(rig);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processors_share_common_pages_only),
		cmocka_unit_test(roots_stay_cached),
		cmocka_unit_test(any_number_of_roots),
		cmocka_unit_test(reclaimed_roots_are_built_again),
		cmocka_unit_test(roles_keep_guests_apart),
		cmocka_unit_test(direct_tables_are_reclaimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
